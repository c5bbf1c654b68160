#pragma once

#include <kj/array.h>
#include <kj/async.h>
#include <kj/function.h>
#include <kj/map.h>
#include <kj/refcount.h>
#include <kj/string.h>

#include "loop/worker.h"

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

  // What follows takes as long as the disk does, which guests can make slow: the caller sets deadlines.  What was begun comes about all
  // the same, in the order in which it was asked for.
  //
  // Makes the runtime directory, and an empty console log in the place of an older one.
  virtual kj::Promise<void> prepare(kj::StringPtr id) = 0;
  // The end of the console, for people; see console-end.h.  Empty if there is none.
  virtual kj::Promise<kj::String> consoleEnd(kj::StringPtr id) = 0;
  // Removes all of it; nothing is success.
  virtual kj::Promise<void> remove(kj::StringPtr id) = 0;
  // Removes what belongs to no known id; returns those ids.  One of which something cannot be removed is logged, and keeps no other.
  using IsKnown = kj::Function<bool(kj::StringPtr id)>;
  virtual kj::Promise<kj::Array<kj::String>> removeStrays(IsKnown isKnown) = 0;
};

// RUNTIME-DIR/vms/ID/ and STATE-DIR/consoles/ID.log.
class DiskWorkspaceFiles final: public WorkspaceFiles, private kj::TaskSet::ErrorHandler {
public:
  // Both directories exist.  `disk` is where they are used.
  DiskWorkspaceFiles(kj::Own<Worker> disk, kj::StringPtr runtimeDir, kj::StringPtr stateDir);
  KJ_DISALLOW_COPY_AND_MOVE(DiskWorkspaceFiles);

  Paths paths(kj::StringPtr id) override;
  kj::Promise<void> prepare(kj::StringPtr id) override;
  // Who asks for the same while it is read waits for that: of each console at most one read waits for the disk, beside those that a
  // change of its file came behind.
  kj::Promise<kj::String> consoleEnd(kj::StringPtr id) override;
  kj::Promise<void> remove(kj::StringPtr id) override;
  kj::Promise<kj::Array<kj::String>> removeStrays(IsKnown isKnown) override;

private:
  struct ConsoleText final: kj::Refcounted {
    explicit ConsoleText(kj::String text) : text(kj::mv(text)) {}
    kj::Own<ConsoleText> addRef() { return kj::addRef(*this); }
    const kj::String text;
  };
  struct Reading {
    uint64_t number;
    kj::ForkedPromise<kj::Own<ConsoleText>> text;
  };

  const kj::String machines;
  const kj::String consoles;
  uint64_t lastReading = 0;
  kj::HashMap<kj::String, Reading> readings;  // under way, of consoles that are as they were
  kj::Own<Worker> disk;
  kj::TaskSet tasks;

  void forget(kj::StringPtr id, uint64_t reading);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
