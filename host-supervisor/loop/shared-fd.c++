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

}  // namespace

// Never destroyed: descriptors are closed until the process ends.
const FarCloser& sharedCloser() {
  static const FarCloser& closer = *new FarCloser(closeWithoutLinger);
  return closer;
}

void FarCloser::close(kj::AutoCloseFd fd, uid_t owner) const {
  {
    auto state = work->state.lockExclusive();
    auto& backlog = state->owners[owner];
    backlog.waiting.push_back(kj::mv(fd));
    ++backlog.unclosed;
    ++state->unclosed;
    // Each of those that are idle takes one.
    if (backlog.waiting.size() <= backlog.idle || backlog.threads == MAX_THREADS) return;
    ++backlog.threads;
  }
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([this, owner]() {
                 kj::Thread([work = kj::atomicAddRef(*work), owner]() {
                   serve(*work, owner);
                 }).detach();
               })) {
    // It stays open until a thread can be had for another.
    --work->state.lockExclusive()->owners[owner].threads;
    KJ_LOG(ERROR, "no thread for closing a descriptor", exception->getDescription());
  }
}

void FarCloser::serve(const Work& work, uid_t owner) {
  for (;;) {
    auto found = next(work, owner);
    KJ_IF_MAYBE (fd, found) {
      work.closing(kj::mv(*fd));
    } else {
      return;
    }
    auto state = work.state.lockExclusive();
    --state->owners[owner].unclosed;
    --state->unclosed;
  }
}

kj::Maybe<kj::AutoCloseFd> FarCloser::next(const Work& work, uid_t owner) {
  auto state = work.state.lockExclusive();
  auto& backlog = state->owners[owner];
  if (backlog.waiting.empty() && backlog.idle == 0 && state->idle < MAX_IDLE_THREADS) {
    ++backlog.idle;
    ++state->idle;
    // The place of an owner in the map stays where it is, and is there as long as he has threads.
    state.wait([&backlog](const State&) { return !backlog.waiting.empty(); }, IDLE_LIMIT);
    --backlog.idle;
    --state->idle;
  }
  if (backlog.waiting.empty()) {
    if (--backlog.threads == 0) state->owners.erase(owner);
    return nullptr;
  }
  auto fd = kj::mv(backlog.waiting.front());
  backlog.waiting.pop_front();
  return kj::mv(fd);
}

bool FarCloser::isClogged(uid_t owner) const {
  auto state = work->state.lockShared();
  auto found = state->owners.find(owner);
  return found != state->owners.end() && found->second.unclosed > MAX_UNCLOSED;
}

bool FarCloser::isClogged() const {
  return work->state.lockShared()->unclosed > MAX_UNCLOSED_IN_ALL;
}

SharedFd SharedFd::duplicateOf(int fd, uid_t owner) {
  int copy;
  KJ_SYSCALL(copy = fcntl(fd, F_DUPFD_CLOEXEC, 0));
  return SharedFd(kj::AutoCloseFd(copy), owner);
}

SharedFd::~SharedFd() noexcept(false) {
  if (fd != nullptr) sharedCloser().close(kj::mv(fd), owner);
}

}  // namespace bothy
