#pragma once

#include <deque>

#include <kj/list.h>
#include <kj/refcount.h>

#include "file-worker/worker-socket.h"
#include "process/programs.h"
#include "rpc/file-lanes.h"

namespace bothy {

// How long a worker may take to receive a lane, its start included, until it gets no other.
constexpr kj::Duration TAKE_LIMIT = 5 * kj::SECONDS;
// One without a lane ends after so long.
constexpr kj::Duration WORKER_IDLE_LIMIT = 30 * kj::SECONDS;
// How long one that is to end may take for it: trees that were broken off are removed first.
constexpr kj::Duration WORKER_END_LIMIT = 30 * kj::SECONDS;
// How long the worker has to tell of the end of a lane that its host has closed.
constexpr kj::Duration HANG_UP_LIMIT = 5 * kj::SECONDS;
// Between looks whether the host has closed a lane, each time twice as long: a worker that does not hang tells of it before.
constexpr kj::Duration FIRST_HANG_UP_LOOK = 5 * kj::SECONDS;
constexpr kj::Duration LAST_HANG_UP_LOOK = 1 * kj::MINUTES;

// Lanes that have ended and whose worker may yet say what was done over them.
constexpr size_t MAX_UNREPORTED_LANES = 64;

// One process that serves lanes for files with the rights of its user, as the agent sees it: see file-worker-main.h.  Its user may do
// to it what he may to any process of his: nothing here waits for it, and a call of the kernel that it could hold up is within a Touch.
class FileWorker final: public kj::Refcounted {
public:
  // `programs` outlives it.
  FileWorker(Programs& programs, SpawnRequest::Credentials credentials);
  ~FileWorker() noexcept(false);

  // Runs the process until it has ended and is collected.  Call once; this is to be kept until then.  False: it could not be started.
  kj::Promise<bool> run();

  bool isOf(const User& user) const;
  bool isOf(uid_t uid) const { return credentials.uid == uid; }
  // It answers, and is not to end.
  bool takesLanes() const { return !isEnding && !isStuck; }
  // It did not take a lane in time: it hangs in a system call.
  bool hangs() const { return isStuck; }
  bool hasLanes() const { return !lanes.empty(); }
  // Lanes that it has not received.
  size_t untaken();

  // As FileLanes::serve().  `home` is the user's.
  kj::Promise<kj::Maybe<kj::String>> serve(FileLane lane, kj::StringPtr home,
                                           kj::AutoCloseFd socket);

  // For one without lanes: it gets none any more, and ends.
  void end();
  // Ends its lanes, and it with all that it has started, as soon as the kernel lets it go.
  void kill();

private:
  // In the order in which they came.
  struct Handed {
    Handed(uint64_t number, kj::Own<FileLaneNote> note) : number(number), note(kj::mv(note)) {}
    const uint64_t number;
    kj::Own<FileLaneNote> note;
    kj::PromiseFulfillerPair<kj::Maybe<kj::String>> ended =
        kj::newPromiseAndFulfiller<kj::Maybe<kj::String>>();
    kj::ListLink<Handed> link;
  };

  Programs& programs;
  const SpawnRequest::Credentials credentials;
  WorkerSocket socket;
  ReportPipe reports;
  // An eventfd: lanes that the worker has received since it was last read, in the order in which they were sent.  Read when somebody wants to
  // know.
  const kj::AutoCloseFd receipts;
  uint64_t received = 0;
  kj::Maybe<kj::Own<ProcessTree>> tree;
  ProgramMark mark;
  kj::Maybe<pid_t> pid;
  uint64_t lastNumber = 0;
  // Reports: one of each lane, and of who says more none is read.
  uint64_t heard = 0;
  kj::List<Handed, &Handed::link> lanes;
  // Of lanes that were ended from here, in the order in which they were.
  struct Unreported {
    uint64_t number;
    kj::Own<FileLaneNote> note;
  };
  std::deque<Unreported> unreported;
  bool hasEnded = false;
  bool isEnding = false;
  bool isStuck = false;
  kj::Promise<void> idleTask = nullptr;
  kj::Promise<void> endTask = nullptr;

  kj::Promise<kj::Maybe<SpawnedProcess>> start();
  bool hasReceived(uint64_t number);
  kj::Promise<void> hear();
  void hearRest();
  void accept(kj::ArrayPtr<const capnp::word> words);
  kj::Promise<void> onHangUp(int laneSocket);
  void leave(Handed& lane);
  // No worker had any of its lanes.
  void countNothing();
  void noteUnreported(uint64_t number, const FileCounts& counts);
};

}  // namespace bothy
