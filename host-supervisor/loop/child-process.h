#pragma once

#include <kj/string.h>

#include "loop/process-handle.h"
#include "loop/subreaper.h"

namespace bothy {

// What to run.  There is no shell: the arguments are constants of this program, numbers, and paths it
// chose itself (S12).
struct ChildSpec {
  kj::StringPtr program;            // absolute path
  kj::Array<kj::String> arguments;  // without the program's name

  struct Owner {
    uint32_t user;
    uint32_t group;
  };
  // Whom it runs as, with no supplementary groups; this program's own user if not given.
  kj::Maybe<Owner> owner;

  // Where its stdout and stderr go; /dev/null if not given.  Borrowed during spawn().
  kj::Maybe<int> output;

  enum class Lifetime {
    OWNED,     // killed when the ChildProcess is dropped or this program ends
    DETACHED,  // in a session of its own; lives on after both
  };
  Lifetime lifetime = Lifetime::OWNED;

  // For a program that a guest may take over: it starts in a network namespace of its own, which has nothing but a
  // loopback device that is down, writes no file and leaves no core.
  struct Confinement {
    uint64_t processes;  // of its user, each thread counted
    uint64_t files;      // that it has open
    // Instructions of a filter of system calls, as seccomp(2) takes them; it has to let execve() pass.  None if empty.
    kj::Array<const kj::byte> filter = nullptr;
  };
  kj::Maybe<Confinement> confinement = nullptr;
};

// A program that this one started.  It has stdin from /dev/null, no other file descriptors, an
// environment of PATH and LANG=C, default signal dispositions, and / as its directory.
class ChildProcess final {
public:
  // On the main thread.  Fails when the program cannot be executed, or confined: for that bothyd needs CAP_SYS_ADMIN.
  static kj::Own<ChildProcess> spawn(kj::UnixEventPort& port, Subreaper& reaper, ChildSpec spec);

  ChildProcess(kj::Own<ProcessHandle> handle, kj::Promise<int> status,
               ChildSpec::Lifetime lifetime);
  ~ChildProcess() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(ChildProcess);

  ProcessHandle& process() { return *handle; }

  // Its wait status, as waitpid() gives it.  Any number of callers.
  kj::Promise<int> onExit() { return status.addBranch(); }

private:
  kj::Own<ProcessHandle> handle;
  kj::ForkedPromise<int> status;
  ChildSpec::Lifetime lifetime;
};

}  // namespace bothy
