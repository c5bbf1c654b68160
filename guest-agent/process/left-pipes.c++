#include "process/left-pipes.h"

#include <errno.h>
#include <fcntl.h>

#include <kj/debug.h>

#include <algorithm>

namespace bothy {

LeftPipes::LeftPipes(kj::UnixEventPort& eventPort, kj::Timer& timer, size_t mostPipes)
    : eventPort(eventPort), timer(timer), mostPipes(mostPipes) {
  int fd;
  KJ_SYSCALL(fd = open("/dev/null", O_WRONLY | O_CLOEXEC));
  nowhere = kj::AutoCloseFd(fd);
}

LeftPipes::~LeftPipes() noexcept(false) {}

void LeftPipes::Left::close() {
  discarding = nullptr;
  Touch touch(mark);
  pipe = nullptr;
}

void LeftPipes::add(kj::AutoCloseFd pipe, ProgramMark mark) {
  pipes.remove_if([](const Left& left) { return left.pipe.get() < 0; });
  if (pipes.size() >= mostPipes) pipes.pop_front();
  auto& left = pipes.emplace_back(kj::mv(pipe), mark);
  left.discarding = discard(left).eagerlyEvaluate([](kj::Exception&& e) {
    KJ_LOG(ERROR, "a pipe that a program left is read no more", e.getDescription());
  });
}

size_t LeftPipes::size() const {
  return std::count_if(pipes.begin(), pipes.end(),
                       [](const Left& left) { return left.pipe.get() >= 0; });
}

kj::Promise<void> LeftPipes::discard(Left& left) {
  KJ_DEFER({
    Touch touch(left.mark);
    left.pipe = nullptr;
    left.isBusy = false;
  });
  for (;;) {
    ssize_t discarded;
    {
      Touch touch(left.mark);
      discarded =
          splice(left.pipe.get(), nullptr, nowhere.get(), nullptr, TURN_BYTES, SPLICE_F_NONBLOCK);
    }
    if (discarded == 0) co_return;
    if (discarded < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) KJ_FAIL_SYSCALL("splice", errno);
      // Only while it is waited for: each write wakes the loop.
      kj::UnixEventPort::FdObserver observer(eventPort, left.pipe.get(),
                                             kj::UnixEventPort::FdObserver::OBSERVE_READ);
      left.isBusy = false;
      co_await observer.whenBecomesReadable();
      continue;
    }
    left.isBusy = true;
    const size_t busy =
        std::count_if(pipes.begin(), pipes.end(), [](const Left& other) { return other.isBusy; });
    co_await timer.afterDelay(TURN_PAUSE * (1 + busy / PAUSE_PIPES));
  }
}

}  // namespace bothy
