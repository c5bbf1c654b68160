#include "files/disk-flush.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <linux/aio_abi.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace bothy {
namespace {

// A kernel without AIO or with none left, or a file system that flushes in no other way.
bool mustFlushNow(int error) {
  return error == ENOSYS || error == EINVAL || error == EAGAIN;
}

int flushNow(int fd) {
  while (fsync(fd) < 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

}  // namespace

DiskFlush::DiskFlush(kj::UnixEventPort& eventPort) : eventPort(eventPort) {
  int fd;
  KJ_SYSCALL(fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  ready = kj::AutoCloseFd(fd);
  // What is in its way now may be gone when a flush is asked for.
  makeContext();
  ends = hearEnds().eagerlyEvaluate(
      [](kj::Exception&& e) { KJ_LOG(ERROR, "ends of flushes are not heard any more", e); });
}

DiskFlush::~DiskFlush() noexcept(false) {
  if (isMade) syscall(SYS_io_destroy, context);
}

// 0 or errno.
int DiskFlush::makeContext() {
  if (isMade) return 0;
  if (syscall(SYS_io_setup, MOST_FLUSHES, &context) < 0) return errno;
  isMade = true;
  return 0;
}

kj::Promise<int> DiskFlush::flush(int fd) {
  int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return errno;
  auto done = kj::newPromiseAndFulfiller<int>();
  waiting.push_back({kj::AutoCloseFd(own), kj::mv(done.fulfiller)});
  beginWaiting();
  return kj::mv(done.promise);
}

kj::Promise<void> DiskFlush::onIdle() {
  if (running.size() == 0 && waiting.empty()) return kj::READY_NOW;
  // Whoever waited for the last may begin another.
  return idle.wait().then([]() { return kj::evalLast([]() {}); }).then([this]() {
    return onIdle();
  });
}

void DiskFlush::beginWaiting() {
  std::erase_if(waiting, [](Flush& flush) { return !flush.done->isWaiting(); });
  while (!waiting.empty() && running.size() < MOST_FLUSHES) {
    auto next = kj::mv(waiting.front());
    waiting.pop_front();
    const auto number = ++lastNumber;
    auto error = submit(number, next.file);
    if (error == 0) {
      running.insert(number, kj::mv(next));
    } else {
      next.done->fulfill(mustFlushNow(error) ? flushNow(next.file) : kj::mv(error));
    }
  }
}

// 0 or errno.
int DiskFlush::submit(uint64_t number, int fd) {
  if (int error = makeContext(); error != 0) return error;
  iocb control = {};
  control.aio_data = number;
  control.aio_lio_opcode = IOCB_CMD_FSYNC;
  control.aio_fildes = static_cast<uint32_t>(fd);
  control.aio_flags = IOCB_FLAG_RESFD;
  control.aio_resfd = static_cast<uint32_t>(ready.get());
  iocb* list[1] = {&control};
  return syscall(SYS_io_submit, context, 1, list) < 0 ? errno : 0;
}

kj::Promise<void> DiskFlush::hearEnds() {
  kj::UnixEventPort::FdObserver observer(eventPort, ready.get(),
                                         kj::UnixEventPort::FdObserver::OBSERVE_READ);
  for (;;) {
    co_await observer.whenBecomesReadable();
    uint64_t count;
    while (read(ready, &count, sizeof(count)) > 0) takeEnds();
  }
}

void DiskFlush::takeEnds() {
  io_event events[16];
  timespec atOnce = {};
  long count;
  do {
    count = syscall(SYS_io_getevents, context, 0, kj::size(events), events, &atOnce);
    for (long i = 0; i < count; ++i) {
      auto result = static_cast<int64_t>(events[i].res);
      KJ_IF_MAYBE (flush, running.find(events[i].data)) {
        flush->done->fulfill(result < 0 ? static_cast<int>(-result) : 0);
        running.erase(events[i].data);
      }
    }
  } while (count == kj::size(events));
  beginWaiting();
  if (running.size() > 0 || !waiting.empty()) return;
  idle.wakeAll();
}

}  // namespace bothy
