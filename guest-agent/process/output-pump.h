#pragma once

#include <kj/async-unix.h>
#include <kj/io.h>
#include <kj/timer.h>

#include "output/output-budget.h"
#include "process/left-pipes.h"
#include "process/loop-touches.h"
#include "schema/stream.capnp.h"
#include "wire/waiters.h"

namespace bothy {

// Carries what a program writes to a pipe to a sink, as fast as the sink takes it and no faster: what
// is not yet sent stays in the pipe, where it stops the program.
//
// A sink that fails while the program runs closes the pipe, so that the program gets SIGPIPE, as from a closed pipe in a
// shell.  Dropping the pump does the same, at any time.  Once the program has ended, a pipe to which others still write goes to
// LeftPipes, however the output ends.
//
// With a tail it keeps what was passed on last, and a sink whose connection broke, or that knows no gaps, may be followed by
// another, which is given again what that one cannot have had; until then the pipe stays.  What the budget has no room for is a
// gap for that other.
class OutputPump final {
public:
  // `pipe`: the read end, non-blocking.  `mark`: of the program.  `budget`: of its tail; none: it has none.
  // All but the pipe outlive it.
  OutputPump(kj::UnixEventPort& eventPort, kj::Timer& timer, LeftPipes& leftPipes,
             kj::AutoCloseFd pipe, ProgramMark mark, rpc::ByteSink::Client sink,
             kj::Maybe<OutputBudget&> budget);
  ~OutputPump() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(OutputPump);

  // The program has ended: delivers what is in the pipe now; and where somebody still holds the other end, what comes until that has
  // been quiet for QUIET_TIME, or LINGER_TIME is over; at that moment, what is in the pipe then.  So a `tee` that a shell does not
  // wait for is heard, and a server that stays is not waited for.
  //
  // Time in which a slow sink leaves the pipe full does not count until LINGER_BYTES have come, and each redirect() begins anew: a
  // sink that is slow, or was lost meanwhile, gets no less than a quick one.  Once `end` was called no more is read: sinks that
  // follow get the same output.
  void finish();
  static constexpr kj::Duration QUIET_TIME = 100 * kj::MILLISECONDS;
  static constexpr kj::Duration LINGER_TIME = 250 * kj::MILLISECONDS;
  static constexpr size_t LINGER_BYTES = 4 * 1024 * 1024;

  // Resolves when the pipe was closed by all writers or finish() is through, and the sink has
  // answered `end`; also when the sink failed, and no other may follow.  The sink is dropped then, because
  // it may be a capability that leads back here.
  kj::Promise<void> onDone() { return done.promise.addBranch(); }
  // The same, but does not wait for the answer to `end`: that was called.
  kj::Promise<void> onEndCalled() { return endCalled.promise.addBranch(); }

  // Only with a tail: the output from byte `from` on goes to `sink`, and nothing more to the one before.  onDone() and
  // onEndCalled() are its, then; they fail with OVERLOADED where it does not know gaps and must be told of one: the program keeps
  // its pipe then, until another sink or giveUp() comes.  Throws unless hasReached(from).
  void redirect(rpc::ByteSink::Client sink, uint64_t from);
  // There is a tail, and all before byte `from` has come: somebody may have had it.
  bool hasReached(uint64_t from) const;
  // No other sink will come: the tail goes, when all of it is sent.
  void giveUp();

  // So long after the last byte, if the sink waits, nobody waits for its tail: see OutputBudget.
  static constexpr kj::Duration IDLE_TIME = 1 * kj::SECONDS;

  // What a tail has in any case.
  static constexpr size_t LEAST_TAIL_BYTES = ByteTail::LEAST_BYTES;

private:
  // What is waited for, of one sink after the other.
  struct Milestone {
    kj::ForkedPromise<void> promise = nullptr;
    kj::Own<kj::PromiseFulfiller<void>> fulfiller;

    bool isAhead() { return fulfiller.get() != nullptr && fulfiller->isWaiting(); }
    // It is ahead, again if it was reached.
    void renew();
  };

  // Hearing what the program has left behind.
  struct Linger {
    kj::TimePoint began;
    kj::TimePoint until;
    size_t bytes = 0;     // read since
    bool isOver = false;  // nothing more is owed than `remaining`
  };

  kj::Timer& timer;
  LeftPipes& leftPipes;
  kj::AutoCloseFd pipe;
  const ProgramMark mark;
  kj::Maybe<kj::UnixEventPort::FdObserver> observer;
  rpc::ByteSink::Client sink;
  struct Tail {
    explicit Tail(OutputBudget& budget);
    OutputRing ring;
    OutputReader reader{0};  // what it gets next

    bool isSent() const { return reader.position() == ring.end(); }
  };
  kj::Maybe<Tail> tail;
  bool isLost = false;  // the sink is, and another may come
  bool isGivenUp = false;
  bool enlarged = false;
  kj::Maybe<size_t> remaining;  // set by finish(): bytes of then that are still to be delivered
  kj::Maybe<Linger> linger;     // once those are, for this sink
  Waiters finishing;            // for finish()
  Milestone endCalled;
  Milestone done;
  kj::Promise<void> task = nullptr;

  void begin();
  kj::Promise<void> run();
  void reachDone();
  void dropSink();
  kj::Promise<void> deliver();
  kj::Promise<void> send(size_t size);
  kj::Promise<void> keepAndSend(Tail& kept, size_t size);
  kj::Promise<void> sendKept(Tail& kept);
  kj::Promise<void> sendGap(Tail& kept);
  void dropSentTail();
  void setWatched(bool isWatched);
  size_t read(kj::ArrayPtr<kj::byte> target);
  void leavePipe();
  kj::Promise<void> lingerOnce();
  kj::Promise<void> onReadable();
  // The same; after IDLE_TIME nobody waits for the tail until there is more.
  kj::Promise<void> onMore();
  size_t countAvailable() const;
  bool hasWriters() const;
  bool holdsUpWriters() const;
  bool isClosed() const;
};

}  // namespace bothy
