#include "files/disk-flush.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <linux/aio_abi.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bothy {
namespace {

// A kernel context for one operation at a time; releasing it waits for the operation.
class AioContext final {
public:
  AioContext() {
    if (syscall(SYS_io_setup, 1, &id) < 0) error = errno;
  }
  ~AioContext() {
    if (error == 0) syscall(SYS_io_destroy, id);
  }
  KJ_DISALLOW_COPY_AND_MOVE(AioContext);

  // 0 or errno.
  int submitFlush(int fd, int eventFd) {
    if (error != 0) return error;
    iocb control = {};
    control.aio_lio_opcode = IOCB_CMD_FSYNC;
    control.aio_fildes = fd;
    control.aio_flags = IOCB_FLAG_RESFD;
    control.aio_resfd = eventFd;
    iocb* list[1] = {&control};
    return syscall(SYS_io_submit, id, 1, list) < 0 ? errno : 0;
  }
  int64_t takeResult() {
    io_event event;
    long count = syscall(SYS_io_getevents, id, 1, 1, &event, nullptr);
    return count == 1 ? static_cast<int64_t>(event.res) : -EIO;
  }

private:
  aio_context_t id = 0;
  int error = 0;
};

// A kernel without AIO, or a file system that flushes in no other way.
bool mustFlushNow(int error) {
  return error == ENOSYS || error == EINVAL;
}

int flushNow(int fd) {
  while (fsync(fd) < 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

// Runs to its end whoever still waits for it: releasing the context before would stop the agent until then.
kj::Promise<void> runFlush(kj::UnixEventPort& eventPort, kj::AutoCloseFd file,
                           kj::Own<kj::PromiseFulfiller<int>> done) {
  int raw = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (raw < 0) {
    done->fulfill(int(errno));
    co_return;
  }
  kj::AutoCloseFd ready(raw);
  kj::UnixEventPort::FdObserver observer(eventPort, ready.get(),
                                         kj::UnixEventPort::FdObserver::OBSERVE_READ);
  AioContext context;
  if (int error = context.submitFlush(file, ready.get()); error != 0) {
    done->fulfill(mustFlushNow(error) ? flushNow(file) : error);
    co_return;
  }
  co_await observer.whenBecomesReadable();
  auto result = context.takeResult();
  done->fulfill(result < 0 ? static_cast<int>(-result) : 0);
}

}  // namespace

kj::Promise<int> flushToDisk(kj::UnixEventPort& eventPort, int fd) {
  int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return errno;
  auto done = kj::newPromiseAndFulfiller<int>();
  runFlush(eventPort, kj::AutoCloseFd(own), kj::mv(done.fulfiller))
      .detach([](kj::Exception&& exception) { KJ_LOG(ERROR, "a flush failed", exception); });
  return kj::mv(done.promise);
}

}  // namespace bothy
