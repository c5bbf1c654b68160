#pragma once

#include <kj/array.h>
#include <kj/function.h>
#include <kj/string.h>

namespace bothy {

// What a machine needs on the host besides its disk.
class WorkspaceFiles {
public:
  struct Paths {
    // Of the machine that runs: emptied when it is gone.
    kj::String runtimeDir;
    // Stays until the workspace is deleted, to be read after a failure.
    kj::String consoleLog;
  };

  virtual Paths paths(kj::StringPtr id) = 0;
  // Makes the runtime directory, and an empty console log in the place of an older one.
  virtual Paths prepare(kj::StringPtr id) = 0;
  // The end of the console, for people; see console-end.h.  Empty if there is none.
  virtual kj::String consoleEnd(kj::StringPtr id) = 0;
  // Removes all of it; nothing is success.
  virtual void remove(kj::StringPtr id) = 0;
  // Removes what belongs to no known id; returns those ids.
  virtual kj::Array<kj::String> removeStrays(kj::Function<bool(kj::StringPtr id)> isKnown) = 0;
};

// RUNTIME-DIR/vms/ID/ and STATE-DIR/consoles/ID.log.
class DiskWorkspaceFiles final: public WorkspaceFiles {
public:
  // Both directories exist.
  DiskWorkspaceFiles(kj::StringPtr runtimeDir, kj::StringPtr stateDir);

  Paths paths(kj::StringPtr id) override;
  Paths prepare(kj::StringPtr id) override;
  kj::String consoleEnd(kj::StringPtr id) override;
  void remove(kj::StringPtr id) override;
  kj::Array<kj::String> removeStrays(kj::Function<bool(kj::StringPtr id)> isKnown) override;

private:
  kj::String machines;
  kj::String consoles;
};

}  // namespace bothy
