#include "process/left-pipes.h"

#include <errno.h>
#include <fcntl.h>

#include <kj/debug.h>

#include <algorithm>

namespace bothy {

LeftPipes::LeftPipes(kj::UnixEventPort& eventPort, kj::Timer& timer)
    : eventPort(eventPort), timer(timer) {
  int fd;
  KJ_SYSCALL(fd = open("/dev/null", O_WRONLY | O_CLOEXEC));
  nowhere = kj::AutoCloseFd(fd);
}

LeftPipes::~LeftPipes() noexcept(false) {}

void LeftPipes::add(kj::AutoCloseFd pipe) {
  pipes.remove_if([](const Left& left) { return left.pipe.get() < 0; });
  if (pipes.size() >= MOST_PIPES) pipes.pop_front();
  auto& left = pipes.emplace_back(Left{kj::mv(pipe)});
  left.discarding = discard(left).eagerlyEvaluate([](kj::Exception&& e) {
    KJ_LOG(ERROR, "a pipe that a program left is read no more", e.getDescription());
  });
}

size_t LeftPipes::size() const {
  return std::count_if(pipes.begin(), pipes.end(),
                       [](const Left& left) { return left.pipe.get() >= 0; });
}

kj::Promise<void> LeftPipes::discard(Left& left) {
  KJ_DEFER(left.pipe = nullptr);
  kj::UnixEventPort::FdObserver observer(eventPort, left.pipe.get(),
                                         kj::UnixEventPort::FdObserver::OBSERVE_READ);
  for (size_t discarded = 0;;) {
    ssize_t size = splice(left.pipe.get(), nullptr, nowhere.get(), nullptr, TURN_BYTES - discarded,
                          SPLICE_F_NONBLOCK);
    if (size == 0) co_return;
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) KJ_FAIL_SYSCALL("splice", errno);
      co_await observer.whenBecomesReadable();
      continue;
    }
    discarded += size;
    if (discarded < TURN_BYTES) continue;
    discarded = 0;
    co_await timer.afterDelay(TURN_PAUSE);
  }
}

}  // namespace bothy
