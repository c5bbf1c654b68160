#include "process/output-pump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <kj/debug.h>

#include "schema/limits.capnp.h"

namespace bothy {

namespace {

// Once so much waits in a pipe, the program writes in bulk: a larger pipe saves switches.
constexpr size_t BULK_BYTES = 32 * 1024;
// Words of a `write` beside its data.
constexpr uint64_t REQUEST_WORDS = 16;

}  // namespace

OutputPump::OutputPump(kj::UnixEventPort& eventPort, kj::AutoCloseFd pipeParam,
                       rpc::ByteSink::Client sink)
    : pipe(kj::mv(pipeParam)), sink(kj::mv(sink)), done(nullptr) {
  observer.emplace(eventPort, pipe.get(), kj::UnixEventPort::FdObserver::OBSERVE_READ);
  done = run().eagerlyEvaluate(nullptr).fork();
}

OutputPump::~OutputPump() noexcept(false) {}

void OutputPump::finish() {
  remaining = pipe.get() < 0 ? 0 : countAvailable();
  KJ_IF_MAYBE (fulfiller, finishing) {
    (*fulfiller)->fulfill();
  }
}

kj::Promise<void> OutputPump::run() {
  try {
    co_await deliver();
    co_await sink.endRequest().send();
  } catch (const kj::Exception&) {
    // The receiver is gone: nobody is left who could be told.
  }
  observer = nullptr;
  pipe = nullptr;
}

kj::Promise<void> OutputPump::deliver() {
  for (;;) {
    size_t size = countAvailable();
    KJ_IF_MAYBE (rest, remaining) {
      size = kj::min(size, *rest);
      if (size == 0) co_return;
    }
    if (size > 0) {
      co_await send(size);
    } else if (isClosed()) {
      co_return;
    } else {
      co_await onReadable();
    }
  }
}

kj::Promise<void> OutputPump::send(size_t size) {
  if (size >= BULK_BYTES && !enlarged) {
    // May be refused (pipe-user-pages-soft): then it stays as it is.
    fcntl(pipe.get(), F_SETPIPE_SZ, static_cast<int>(rpc::PREFERRED_CHUNK_BYTES));
    enlarged = true;
  }
  size = kj::min(size, size_t(rpc::PREFERRED_CHUNK_BYTES));
  auto request =
      sink.writeRequest(capnp::MessageSize{size / sizeof(capnp::word) + REQUEST_WORDS, 0});
  auto data = request.initData(static_cast<kj::uint>(size));
  for (size_t have = 0; have < size;) {
    // Nobody else reads this pipe: what was counted is there.
    ssize_t n;
    KJ_SYSCALL(n = read(pipe.get(), data.begin() + have, size - have));
    KJ_ASSERT(n > 0, "bytes have vanished from a pipe");
    have += n;
  }
  KJ_IF_MAYBE (rest, remaining) {
    *rest -= size;
  }
  return request.send();
}

kj::Promise<void> OutputPump::onReadable() {
  auto paf = kj::newPromiseAndFulfiller<void>();
  finishing = kj::mv(paf.fulfiller);
  return KJ_ASSERT_NONNULL(observer).whenBecomesReadable().exclusiveJoin(kj::mv(paf.promise));
}

size_t OutputPump::countAvailable() {
  int available = 0;
  KJ_SYSCALL(ioctl(pipe.get(), FIONREAD, &available));
  return available;
}

bool OutputPump::isClosed() {
  struct pollfd state = {pipe.get(), POLLIN, 0};
  int n;
  KJ_SYSCALL(n = poll(&state, 1, 0));
  return n > 0 && (state.revents & POLLHUP) && !(state.revents & POLLIN);
}

}  // namespace bothy
