#include "loop/shared-fd.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <kj/thread.h>
#include <sys/socket.h>

namespace bothy {
namespace {

// Others may set the option again in between: only the thread is sure to do no harm.
void closeWithoutLinger(kj::AutoCloseFd fd) {
  const linger none = {};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
}

// Never destroyed: descriptors are closed until the process ends.
FarCloser& farCloser() {
  static FarCloser& closer = *new FarCloser(closeWithoutLinger);
  return closer;
}

}  // namespace

void FarCloser::close(kj::AutoCloseFd fd) {
  {
    auto state = work->state.lockExclusive();
    state->waiting.push_back(kj::mv(fd));
    if (state->threads == MAX_THREADS) return;
    ++state->threads;
  }
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([this]() {
                 kj::Thread([work = kj::atomicAddRef(*work)]() { serve(*work); }).detach();
               })) {
    // It stays open until a thread can be had for another.
    --work->state.lockExclusive()->threads;
    KJ_LOG(ERROR, "no thread for closing a descriptor", exception->getDescription());
  }
}

void FarCloser::serve(const Work& work) {
  for (;;) {
    kj::AutoCloseFd fd;
    {
      auto state = work.state.lockExclusive();
      if (state->waiting.empty()) {
        --state->threads;
        return;
      }
      fd = kj::mv(state->waiting.front());
      state->waiting.pop_front();
    }
    work.closing(kj::mv(fd));
  }
}

SharedFd SharedFd::duplicateOf(int fd) {
  int copy;
  KJ_SYSCALL(copy = fcntl(fd, F_DUPFD_CLOEXEC, 0));
  return SharedFd(kj::AutoCloseFd(copy));
}

SharedFd::~SharedFd() noexcept(false) {
  if (fd != nullptr) farCloser().close(kj::mv(fd));
}

}  // namespace bothy
