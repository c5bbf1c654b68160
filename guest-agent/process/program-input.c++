#include "process/program-input.h"

#include <errno.h>
#include <unistd.h>

#include <kj/debug.h>

namespace bothy {

kj::Promise<void> ProgramInput::write(uint64_t as, kj::ArrayPtr<const kj::byte> data) {
  while (data.size() > 0) {
    requireOpen(as);
    ssize_t n = writeNow(data);
    if (n > 0) {
      taken += n;
      data = data.slice(n, data.size());
    } else if (errno == EAGAIN) {
      // Fails when the pipe is closed meanwhile, or another became the writer: requireOpen() says which.
      co_await onWritable().catch_([](kj::Exception&&) {});
    } else if (errno != EINTR) {
      close();
    }
  }
}

ssize_t ProgramInput::writeNow(kj::ArrayPtr<const kj::byte> data) {
  Touch touch(mark);
  return ::write(pipe.get(), data.begin(), data.size());
}

void ProgramInput::end(uint64_t as) {
  requireOpen(as);
  close();
}

void ProgramInput::close() {
  observer = nullptr;
  Touch touch(mark);
  pipe = nullptr;
}

void ProgramInput::requireOpen(uint64_t as) {
  if (pipe.get() < 0) {
    kj::throwFatalException(KJ_EXCEPTION(DISCONNECTED, "standard input is closed"));
  }
  if (as != writer) {
    kj::throwFatalException(KJ_EXCEPTION(DISCONNECTED, "standard input has another writer"));
  }
}

kj::Promise<void> ProgramInput::onWritable() {
  if (observer == nullptr) {
    observer.emplace(eventPort, pipe.get(), kj::UnixEventPort::FdObserver::OBSERVE_WRITE);
  }
  return KJ_ASSERT_NONNULL(observer).whenBecomesWritable();
}

}  // namespace bothy
