#include "process/output-pump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <kj/debug.h>

#include "schema/limits.capnp.h"
#include "wire/rpc-network.h"

namespace bothy {

namespace {

// Once so much waits in a pipe, the program writes in bulk: a larger pipe saves switches.
constexpr size_t BULK_BYTES = 32 * 1024;
// With a tail, chunks are small, so that less of it is ever on its way than a whole tail has.
constexpr size_t KEPT_CHUNK_BYTES = 64 * 1024;
// What is on its way, and so may not have been had, is at most the window of the stream's flow control and the
// message that overshoots it; a power of two above that.  So a chunk has such a part of the tail.
constexpr size_t CHUNKS_OF_TAIL = 8;
static_assert(WINDOW_MESSAGES + 2 <= CHUNKS_OF_TAIL);
constexpr OutputRing::Sizes TAIL_SIZES = {OutputPump::LEAST_TAIL_BYTES,
                                          CHUNKS_OF_TAIL* KEPT_CHUNK_BYTES};
// So long the end of an output waits for that of its program, which most often follows at once: both leave in one write then,
// which an exec of a short program notices.
constexpr kj::Duration GATHER_TIME = 5 * kj::MILLISECONDS;
// A pipe that has this part of its size may be full: each write may begin a page, and of the first some may have been read.
constexpr size_t FULL_PIPE_PART = 4;
// Words of a `write` beside its data.
constexpr uint64_t REQUEST_WORDS = 16;

// Of a sink that takes no gap, which would have the rest for the whole.
kj::Exception whyCut() {
  return KJ_EXCEPTION(OVERLOADED, "the agent could not keep all of this output for another sink");
}

}  // namespace

OutputPump::Tail::Tail(OutputBudget& budget) : ring(budget, TAIL_SIZES) {}

OutputPump::OutputPump(kj::UnixEventPort& eventPort, kj::Timer& timer, LeftPipes& leftPipes,
                       kj::AutoCloseFd pipeParam, ProgramMark mark, rpc::ByteSink::Client sink,
                       kj::Maybe<OutputBudget&> budget)
    : timer(timer), leftPipes(leftPipes), pipe(kj::mv(pipeParam)), mark(mark), sink(kj::mv(sink)) {
  KJ_IF_MAYBE (room, budget) tail.emplace(*room);
  observer.emplace(eventPort, pipe.get(), kj::UnixEventPort::FdObserver::OBSERVE_READ);
  begin();
}

OutputPump::~OutputPump() noexcept(false) {
  task = nullptr;
  try {
    leavePipe();
  } catch (const kj::Exception& exception) {
    KJ_LOG(ERROR, "a pipe that a program left is closed", exception.getDescription());
  }
}

void OutputPump::Milestone::renew() {
  if (isAhead()) return;
  auto paf = kj::newPromiseAndFulfiller<void>();
  promise = paf.promise.fork();
  fulfiller = kj::mv(paf.fulfiller);
}

void OutputPump::begin() {
  isLost = false;
  linger = nullptr;
  endCalled.renew();
  done.renew();
  setWatched(true);
  task = run().eagerlyEvaluate(nullptr);
}

void OutputPump::redirect(rpc::ByteSink::Client newSink, uint64_t from) {
  KJ_REQUIRE(hasReached(from), "so much has not come of this output", from);
  // Ends the delivery to the one before, wherever it is.
  task = nullptr;
  sink = kj::mv(newSink);
  KJ_ASSERT_NONNULL(tail).reader = OutputReader(from);
  begin();
}

bool OutputPump::hasReached(uint64_t from) const {
  KJ_IF_MAYBE (kept, tail) {
    return from <= kept->ring.end();
  }
  return false;
}

void OutputPump::giveUp() {
  isGivenUp = true;
  if (isLost) {
    task = nullptr;
    leavePipe();
    reachDone();
  }
  dropSentTail();
}

void OutputPump::reachDone() {
  setWatched(false);
  endCalled.fulfiller->fulfill();
  done.fulfiller->fulfill();
}

void OutputPump::setWatched(bool isWatched) {
  KJ_IF_MAYBE (kept, tail) kept->ring.setWatched(isWatched);
}

void OutputPump::dropSentTail() {
  KJ_IF_MAYBE (kept, tail) {
    if (!done.isAhead() || kept->isSent()) tail = nullptr;
  }
}

void OutputPump::finish() {
  remaining = pipe.get() < 0 ? 0 : countAvailable();
  finishing.wakeAll();
}

kj::Promise<void> OutputPump::run() {
  kj::Maybe<kj::Exception> failure;
  try {
    co_await deliver();
    if (remaining == nullptr) {
      co_await finishing.wait().exclusiveJoin(timer.afterDelay(GATHER_TIME));
    }
    auto ending = sink.endRequest().send();
    endCalled.fulfiller->fulfill();
    // Whoever attaches after this gets the same output.
    leavePipe();
    co_await ending;
  } catch (const kj::Exception& exception) {
    const auto type = exception.getType();
    // Of a sink that knows no gaps.
    const bool isCut = type == kj::Exception::Type::UNIMPLEMENTED;
    if (isCut) failure = whyCut();
    // The receiver is gone, or nothing can be told to it; the program has done nothing that it should lose its reader for.
    isLost = tail != nullptr && !isGivenUp && (isCut || type == kj::Exception::Type::DISCONNECTED);
  }
  dropSink();
  KJ_IF_MAYBE (why, failure) {
    endCalled.fulfiller->reject(kj::cp(*why));
    done.fulfiller->reject(kj::mv(*why));
  }
  if (isLost) co_return;
  leavePipe();
  reachDone();
  if (isGivenUp) dropSentTail();
}

void OutputPump::dropSink() {
  // In a later turn, because it may hold this pump.
  kj::evalLater([dropped = kj::mv(sink)]() {}).detach([](kj::Exception&&) {});
  sink = KJ_EXCEPTION(DISCONNECTED, "the output has ended");
}

kj::Promise<void> OutputPump::deliver() {
  for (;;) {
    if (isGivenUp) dropSentTail();
    KJ_IF_MAYBE (kept, tail) {
      if (!kept->isSent()) {
        co_await (kept->reader.hasLost(kept->ring) ? sendGap(*kept) : sendKept(*kept));
        continue;
      }
    }
    if (pipe.get() < 0) co_return;
    size_t size = countAvailable();
    KJ_IF_MAYBE (rest, remaining) {
      // What was counted may have been read by somebody else.
      if (size == 0) *rest = 0;
      if (*rest > 0) size = kj::min(size, *rest);
    }
    if (size == 0 && isClosed()) co_return;
    if (remaining.orDefault(1) == 0) {
      KJ_IF_MAYBE (lingering, linger) {
        if (lingering->isOver) co_return;
      }
      co_await lingerOnce();
    } else if (size > 0) {
      co_await send(size);
    } else {
      co_await onMore();
    }
  }
}

kj::Promise<void> OutputPump::onMore() {
  auto idle = timer.afterDelay(IDLE_TIME).then([this]() -> kj::Promise<void> {
    setWatched(false);
    return kj::NEVER_DONE;
  });
  co_await onReadable().exclusiveJoin(kj::mv(idle));
  setWatched(true);
}

// Sends what has come after the program's end, or waits for more, or finds that this is over.
kj::Promise<void> OutputPump::lingerOnce() {
  const auto now = timer.now();
  if (linger == nullptr) linger = Linger{now, now + LINGER_TIME};
  auto& lingering = KJ_ASSERT_NONNULL(linger);
  const auto size = countAvailable();
  if (now >= lingering.until ||
      (lingering.bytes >= LINGER_BYTES && now >= lingering.began + LINGER_TIME)) {
    // What is here came in time, as far as anybody can know.
    lingering.isOver = true;
    remaining = size;
  } else if (size > 0) {
    co_await send(size);
    if (holdsUpWriters()) lingering.until += timer.now() - now;
  } else {
    auto more = KJ_ASSERT_NONNULL(observer).whenBecomesReadable().then([]() { return true; });
    auto quiet =
        timer.atTime(kj::min(now + QUIET_TIME, lingering.until)).then([]() { return false; });
    if (!co_await more.exclusiveJoin(kj::mv(quiet))) lingering.until = timer.now();
  }
}

kj::Promise<void> OutputPump::send(size_t size) {
  if (size >= BULK_BYTES && !enlarged) {
    // May be refused (pipe-user-pages-soft): then it stays as it is.
    Touch touch(mark);
    fcntl(pipe.get(), F_SETPIPE_SZ, static_cast<int>(rpc::PREFERRED_CHUNK_BYTES));
    enlarged = true;
  }
  KJ_IF_MAYBE (kept, tail) return keepAndSend(*kept, size);
  size = kj::min(size, size_t(rpc::PREFERRED_CHUNK_BYTES));
  auto request =
      sink.writeRequest(capnp::MessageSize{size / sizeof(capnp::word) + REQUEST_WORDS, 0});
  auto whole = request.initData(static_cast<kj::uint>(size));
  size_t had = read(whole);
  if (had == 0) return kj::READY_NOW;
  if (had < size) {
    auto data = request.disownData();
    data.truncate(static_cast<kj::uint>(had));
    request.adoptData(kj::mv(data));
  }
  return request.send();
}

kj::Promise<void> OutputPump::keepAndSend(Tail& kept, size_t size) {
  auto& ring = kept.ring;
  size = kj::min(size, KEPT_CHUNK_BYTES);
  ring.makeRoomAfter(ring.begin(), size);
  // All of it is still to be sent.
  size = kj::min(size, ring.size());
  auto chunk = kj::heapArray<kj::byte>(size);
  size = read(chunk);
  if (size == 0) return kj::READY_NOW;
  ring.append(chunk.slice(0, size));
  return sendKept(kept);
}

kj::Promise<void> OutputPump::sendKept(Tail& kept) {
  const auto size = kept.reader.ready(kept.ring, KEPT_CHUNK_BYTES);
  auto request =
      sink.writeRequest(capnp::MessageSize{size / sizeof(capnp::word) + REQUEST_WORDS, 0});
  kept.reader.read(kept.ring, request.initData(static_cast<kj::uint>(size)));
  return request.send();
}

kj::Promise<void> OutputPump::sendGap(Tail& kept) {
  auto request = sink.gapRequest();
  request.setLost(kept.reader.skipTo(kept.ring.begin()));
  return request.send().ignoreResult();
}

// Fills `target` as far as it can: the program may open its end for reading, and take what was counted.
size_t OutputPump::read(kj::ArrayPtr<kj::byte> target) {
  size_t have = 0;
  Touch touch(mark);
  while (have < target.size()) {
    ssize_t n = ::read(pipe.get(), target.begin() + have, target.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    have += n;
  }
  KJ_IF_MAYBE (rest, remaining) {
    // Counted as read though somebody else did: no more is owed.
    *rest -= kj::min(*rest, target.size());
  }
  KJ_IF_MAYBE (lingering, linger) lingering->bytes += have;
  return have;
}

// The one way out: nothing is read from the pipe after this.
void OutputPump::leavePipe() {
  observer = nullptr;
  if (remaining != nullptr && pipe.get() >= 0 && hasWriters()) leftPipes.add(kj::mv(pipe), mark);
  Touch touch(mark);
  pipe = nullptr;
}

kj::Promise<void> OutputPump::onReadable() {
  return KJ_ASSERT_NONNULL(observer).whenBecomesReadable().exclusiveJoin(finishing.wait());
}

size_t OutputPump::countAvailable() const {
  int available = 0;
  Touch touch(mark);
  KJ_SYSCALL(ioctl(pipe.get(), FIONREAD, &available));
  return available;
}

bool OutputPump::hasWriters() const {
  struct pollfd state = {pipe.get(), POLLIN, 0};
  int n;
  KJ_SYSCALL(n = poll(&state, 1, 0));
  return n == 0 || !(state.revents & POLLHUP);
}

bool OutputPump::holdsUpWriters() const {
  int size;
  {
    Touch touch(mark);
    KJ_SYSCALL(size = fcntl(pipe.get(), F_GETPIPE_SZ));
  }
  return countAvailable() >= size_t(size) / FULL_PIPE_PART;
}

bool OutputPump::isClosed() const {
  return !hasWriters() && countAvailable() == 0;
}

}  // namespace bothy
