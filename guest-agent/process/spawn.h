#pragma once

#include <kj/async-unix.h>
#include <kj/map.h>
#include <kj/one-of.h>
#include <kj/string.h>
#include <sys/types.h>

#include "process/program-kind.h"
#include "process/reaper.h"

namespace bothy {

// What runs, and as whom.  The program starts as leader of a session of its own, with all signals at
// their defaults and unblocked, umask 022, PROGRAM_LIMITS, and no other fd.
struct SpawnRequest {
  // Tried in this order until execve(2) finds one; see searchPath().  A text file without "#!" is run by /bin/sh.
  kj::Array<kj::String> programs;
  kj::Array<kj::String> arguments;    // argv; not empty
  kj::Array<kj::String> environment;  // each NAME=VALUE
  kj::String workingDirectory;        // absolute; entered with the user's rights

  // What becomes of a working directory that cannot be entered.  Of a home, the program runs in "/", and the element
  // of `environment` with this index becomes HOME=/.
  struct Home {
    kj::Maybe<size_t> variable;
  };
  kj::Maybe<Home> home = nullptr;

  struct Credentials {
    uid_t uid;
    gid_t gid;
    kj::Array<gid_t> groups;
  };
  // None: those of the agent.
  kj::Maybe<Credentials> credentials;

  // What becomes 0, 1 and 2 of the program.  Borrowed until spawn() has returned its promise.
  int standardFds[3];
  enum class ControllingTerminal { NONE, STANDARD_INPUT };
  ControllingTerminal controllingTerminal = ControllingTerminal::NONE;

  // A cgroup v2 directory that the program is born into, borrowed like the fds.
  kj::Maybe<int> cgroupFd;
  // None: as long as it likes.  ChildProcess sees to it, spawn() does not.
  kj::Maybe<kj::Duration> timeLimit = nullptr;

  // ChildProcess sees to it, spawn() does not.
  ProgramKind kind = ProgramKind::COMMAND;
  // How many processes its user has does not matter: its cgroup has a limit that is its own.
  enum class UserProcesses { LIMITED, UNLIMITED };
  UserProcesses userProcesses = UserProcesses::LIMITED;

  // Whose the program is.
  uid_t user() const;
};

// Nothing runs.
struct SpawnFailure {
  // MEMORY: the starts under way hold MAX_STARTING_BYTES, or this user's a share.
  enum class Stage {
    MEMORY,
    CLONE,
    SESSION,
    FILES,
    TERMINAL,
    CREDENTIALS,
    WORKING_DIRECTORY,
    EXECUTE
  };
  Stage stage;
  int errorNumber;

  // Of EXECUTE: the program that is there and is not executed, as the user sees it.
  struct File {
    kj::String path;
    mode_t mode;
    bool mayExecute;
    kj::Array<kj::byte>
        head;  // its first bytes, at most MAX_HEAD_BYTES; empty if they could not be read
  };
  kj::Maybe<File> file;

  // What was asked for, to be asked for elsewhere; its fds are no longer those of the caller.
  kj::Maybe<SpawnRequest> request = nullptr;
};

struct SpawnedProcess {
  pid_t pid;
  kj::Promise<ExitStatus> exit;
  // The home could not be entered, for this errno, and it runs in "/".
  kj::Maybe<int> homeError;
  // Not in the cgroup that was given, which the kernel refused: somebody in the guest has made it unusable.
  bool isOutsideCgroup;
};

// Memory of the agent's that starts under way may hold together.  A child that hangs at its working directory keeps its own also when
// nobody waits for it any more, because the kernel may not end it before the file system answers.  The largest command that a client may
// send fits into it (rpc::MAX_ARGUMENT_BYTES, of texts of a byte each).
constexpr uint64_t MAX_STARTING_BYTES = 32 * 1024 * 1024;
// And those of one user, beyond one start, this part of what the others leave: nobody keeps all others from starting, nor do a few who have
// agreed.
constexpr uint64_t USER_STARTING_SHARE = 2;

// The one place that forks.
//
// The child shares the agent's memory until execve(2), on a stack of its own: no page table is copied,
// so the time does not grow with what the agent holds.  The agent does not wait for it (as vfork would
// make it do): a working directory on a file system of the user's that hangs holds up that one call.
//
// It does what all programs have in common and waits for the rest.  So it can be made beforehand (prepare()), which takes the fork from
// the time of a start.
class Spawner final: private kj::TaskSet::ErrorHandler {
private:
  struct Job;
  struct Launch;
  using Outcome = kj::OneOf<SpawnedProcess, SpawnFailure>;

public:
  // `cgroupNamespace`: of programs, borrowed; none: they have that of the agent.
  Spawner(kj::UnixEventPort& eventPort, Reaper& reaper, kj::Maybe<int> cgroupNamespace = nullptr);
  ~Spawner() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(Spawner);

  // A child that waits for its program.  Dropping it kills the child, which is gone some time later.
  class Prepared final {
  public:
    explicit Prepared(kj::Own<Launch> launch);
    ~Prepared() noexcept(false);
    KJ_DISALLOW_COPY_AND_MOVE(Prepared);

    pid_t pid() const;
    // As far as is known.
    bool isWaiting() const;

  private:
    kj::Own<Launch> launch;
    friend class Spawner;
  };

  // In the cgroup v2 directory, if one is given.  None: the kernel makes none, or not there.
  kj::Maybe<kj::Own<Prepared>> prepare(kj::Maybe<int> cgroup);

  // Resolves when execve(2) has succeeded or something failed.  Dropping the promise before that kills
  // the child.  `prepared` runs it, if it can, in whose cgroup it must be; else a child that is made now.
  kj::Promise<kj::OneOf<SpawnedProcess, SpawnFailure>> spawn(
      SpawnRequest request, kj::Maybe<kj::Own<Prepared>> prepared = nullptr);

  // What starts under way hold, in bytes.
  uint64_t startingBytes() const { return starting; }

private:
  bool isRoomFor(uid_t user, uint64_t bytes);
  kj::UnixEventPort& eventPort;
  Reaper& reaper;
  const kj::Maybe<int> cgroupNamespace;
  kj::Array<int> ignoredSignals;
  uint64_t starting = 0;                        // bytes
  kj::HashMap<uid_t, uint64_t> startingByUser;  // bytes, of those who have some
  kj::TaskSet launches;

  // A child in the cgroup; or the errno of why there is none.
  kj::OneOf<kj::Own<Launch>, int> make(kj::Maybe<int> cgroup);
  // The errno of why the child does not run it, else 0.
  int run(Launch& launch, kj::Own<Job>& job);
  kj::Promise<Outcome> outcomeOf(kj::Own<Launch> launch);
  // Until it is gone.
  kj::Promise<void> follow(kj::Own<Launch> launch);
  void taskFailed(kj::Exception&& exception) override;
};

// The files that `program` may mean, as execvp(3) searches them: itself if it has a slash, else one in
// each directory of `path`, where an empty entry is the working directory.
kj::Array<kj::String> searchPath(kj::StringPtr program, kj::StringPtr path);

// What searchPath() would make, in bytes: the name is in it once a directory.
uint64_t searchBytes(kj::StringPtr program, kj::StringPtr path);
// The most that a client gets made: thousands of directories for a name of usual length.
constexpr uint64_t MAX_SEARCH_BYTES = 1024 * 1024;

}  // namespace bothy
