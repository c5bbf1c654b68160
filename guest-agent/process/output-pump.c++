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
// With a tail, chunks are small, so that little of it is ever on its way.
constexpr size_t KEPT_CHUNK_BYTES = 64 * 1024;
// What is on its way, and so may not have been had, is at most the window of the stream's flow control and the
// message that overshoots it; a power of two above that.
constexpr size_t TAIL_BYTES = 512 * 1024;
static_assert((WINDOW_MESSAGES + 2) * KEPT_CHUNK_BYTES <= TAIL_BYTES);
// So long the end of an output waits for that of its program, which most often follows at once: both leave in one write then,
// which an exec of a short program notices.
constexpr kj::Duration GATHER_TIME = 5 * kj::MILLISECONDS;
// A pipe that has this part of its size may be full: each write may begin a page, and of the first some may have been read.
constexpr size_t FULL_PIPE_PART = 4;
// Words of a `write` beside its data.
constexpr uint64_t REQUEST_WORDS = 16;

}  // namespace

OutputPump::OutputPump(kj::UnixEventPort& eventPort, kj::Timer& timer, LeftPipes& leftPipes,
                       kj::AutoCloseFd pipeParam, ProgramMark mark, rpc::ByteSink::Client sink,
                       Keeping keeping)
    : timer(timer), leftPipes(leftPipes), pipe(kj::mv(pipeParam)), mark(mark), sink(kj::mv(sink)) {
  if (keeping == Keeping::TAIL) tail.emplace(TAIL_BYTES);
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
  task = run().eagerlyEvaluate(nullptr);
}

void OutputPump::redirect(rpc::ByteSink::Client newSink, uint64_t from) {
  KJ_REQUIRE(has(from), "this output is not kept", from);
  // Ends the delivery to the one before, wherever it is.
  task = nullptr;
  sink = kj::mv(newSink);
  next = from;
  begin();
}

bool OutputPump::has(uint64_t from) const {
  KJ_IF_MAYBE (kept, tail) {
    return kept->begin() <= from && from <= kept->end();
  }
  return false;
}

void OutputPump::giveUp() {
  isGivenUp = true;
  grown = nullptr;
  if (isLost) {
    task = nullptr;
    leavePipe();
    reachDone();
  }
  dropSentTail();
}

void OutputPump::cutOff() {
  task = nullptr;
  leavePipe();
  dropSink();
  tail = nullptr;
  auto why = KJ_EXCEPTION(
      OVERLOADED, "the output of too many programs that have ended waits (maxHeldOutputBytes)");
  endCalled.fulfiller->reject(kj::cp(why));
  done.fulfiller->reject(kj::mv(why));
}

void OutputPump::reachDone() {
  endCalled.fulfiller->fulfill();
  done.fulfiller->fulfill();
}

void OutputPump::dropSentTail() {
  KJ_IF_MAYBE (kept, tail) {
    if (!done.isAhead() || next == kept->end()) tail = nullptr;
  }
}

size_t OutputPump::keptBytes() const {
  KJ_IF_MAYBE (kept, tail) {
    const size_t inPipe = pipe.get() < 0 ? 0 : countAvailable();
    return kj::min(kept->end() - kept->begin() + inPipe, TAIL_BYTES);
  }
  return 0;
}

void OutputPump::whenGrown(kj::Function<void()> f) {
  grown = kj::mv(f);
}

void OutputPump::tellGrowth() {
  if (remaining == nullptr) return;
  KJ_IF_MAYBE (tell, grown) {
    const auto bytes = keptBytes();
    if (bytes < toldBytes + GROWTH_BYTES) return;
    toldBytes = bytes;
    (*tell)();
  }
}

void OutputPump::finish() {
  remaining = pipe.get() < 0 ? 0 : countAvailable();
  toldBytes = keptBytes();
  KJ_IF_MAYBE (fulfiller, finishing) {
    (*fulfiller)->fulfill();
  }
}

kj::Promise<void> OutputPump::run() {
  try {
    co_await deliver();
    if (remaining == nullptr) {
      co_await onFinish().exclusiveJoin(timer.afterDelay(GATHER_TIME));
    }
    auto ending = sink.endRequest().send();
    endCalled.fulfiller->fulfill();
    // Whoever attaches after this gets the same output.
    leavePipe();
    co_await ending;
  } catch (const kj::Exception& exception) {
    // The receiver is gone: nobody is left who could be told.
    isLost =
        tail != nullptr && !isGivenUp && exception.getType() == kj::Exception::Type::DISCONNECTED;
  }
  dropSink();
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
      if (next < kept->end()) {
        co_await sendKept(*kept);
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
      co_await onReadable();
    }
  }
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
  KJ_IF_MAYBE (kept, tail) {
    auto chunk = kj::heapArray<kj::byte>(kj::min(size, KEPT_CHUNK_BYTES));
    size = read(chunk);
    if (size == 0) return kj::READY_NOW;
    kept->append(chunk.slice(0, size));
    tellGrowth();
    return sendKept(*kept);
  }
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

kj::Promise<void> OutputPump::sendKept(ByteTail& kept) {
  size_t size = kj::min(kept.end() - next, KEPT_CHUNK_BYTES);
  auto request =
      sink.writeRequest(capnp::MessageSize{size / sizeof(capnp::word) + REQUEST_WORDS, 0});
  kept.copy(next, request.initData(static_cast<kj::uint>(size)));
  next += size;
  return request.send();
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
  return KJ_ASSERT_NONNULL(observer).whenBecomesReadable().exclusiveJoin(onFinish());
}

kj::Promise<void> OutputPump::onFinish() {
  auto paf = kj::newPromiseAndFulfiller<void>();
  finishing = kj::mv(paf.fulfiller);
  return kj::mv(paf.promise);
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
