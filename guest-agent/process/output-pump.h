#pragma once

#include <kj/async-unix.h>
#include <kj/function.h>
#include <kj/io.h>
#include <kj/timer.h>

#include "process/left-pipes.h"
#include "process/loop-touches.h"
#include "schema/stream.capnp.h"
#include "wire/byte-tail.h"

namespace bothy {

// Carries what a program writes to a pipe to a sink, as fast as the sink takes it and no faster: what
// is not yet sent stays in the pipe, where it stops the program.
//
// A sink that fails while the program runs closes the pipe, so that the program gets SIGPIPE, as from a closed pipe in a
// shell.  Dropping the pump does the same, at any time.  Once the program has ended, a pipe to which others still write goes to
// LeftPipes, however the output ends.
//
// With a tail it keeps what was passed on last, and a sink whose connection broke may be followed by another, which
// is given again what that one cannot have had; until then the pipe stays.
class OutputPump final {
public:
  enum class Keeping { NOTHING, TAIL };
  // `pipe`: the read end, non-blocking.  `mark`: of the program.
  // All but the pipe outlive it.
  OutputPump(kj::UnixEventPort& eventPort, kj::Timer& timer, LeftPipes& leftPipes,
             kj::AutoCloseFd pipe, ProgramMark mark, rpc::ByteSink::Client sink, Keeping keeping);
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
  // onEndCalled() are its, then.  Throws if `from` is not in the tail.
  void redirect(rpc::ByteSink::Client sink, uint64_t from);
  // Whether redirect() takes `from`.
  bool has(uint64_t from) const;
  // No other sink will come: the tail goes, when all of it is sent.
  void giveUp();
  // After finish(): the most bytes that the tail will have of what was written until now.
  size_t keptBytes() const;
  // `grown` is called whenever what was read has made it GROWTH_BYTES more than at finish() or at the last call, until giveUp().
  void whenGrown(kj::Function<void()> grown);
  static constexpr size_t GROWTH_BYTES = 4096;
  // Ends the delivery where it is; the sink gets no `end`, and onDone() and onEndCalled() fail with OVERLOADED.
  void cutOff();

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
  kj::Maybe<ByteTail> tail;
  uint64_t next = 0;    // of the tail: the byte that the sink gets next
  bool isLost = false;  // the sink is, and another may come
  bool isGivenUp = false;
  bool enlarged = false;
  kj::Maybe<size_t> remaining;  // set by finish(): bytes of then that are still to be delivered
  kj::Maybe<Linger> linger;     // once those are, for this sink
  kj::Maybe<kj::Function<void()>> grown;
  size_t toldBytes = 0;  // keptBytes() of finish(), or of the last call of `grown`
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> finishing;
  Milestone endCalled;
  Milestone done;
  kj::Promise<void> task = nullptr;

  void begin();
  kj::Promise<void> run();
  void reachDone();
  void dropSink();
  kj::Promise<void> deliver();
  kj::Promise<void> send(size_t size);
  kj::Promise<void> sendKept(ByteTail& tail);
  void dropSentTail();
  size_t read(kj::ArrayPtr<kj::byte> target);
  void leavePipe();
  kj::Promise<void> lingerOnce();
  void tellGrowth();
  kj::Promise<void> onReadable();
  kj::Promise<void> onFinish();
  size_t countAvailable() const;
  bool hasWriters() const;
  bool holdsUpWriters() const;
  bool isClosed() const;
};

}  // namespace bothy
