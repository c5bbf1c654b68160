#include "system/disk-watch.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace bothy {
namespace {

// Somebody stood still for a disk for so long in a second: in microseconds.  A tenth of a millisecond is less than one flush takes.
constexpr kj::StringPtr TRIGGER = "some 100 1000000"_kj;

constexpr uint64_t PERCENT = 100;

}  // namespace

bool isNewlyFilling(uint64_t usedBytes, uint64_t totalBytes, bool& isFilling) {
  const auto share = totalBytes == 0 ? 0 : usedBytes / (totalBytes / PERCENT + 1);
  if (share < FREED_SHARE) isFilling = false;
  if (share < FILLING_SHARE || isFilling) return false;
  isFilling = true;
  return true;
}

DiskWatch::DiskWatch(kj::UnixEventPort& eventPort, kj::String path, kj::StringPtr pressure,
                     Filling filling)
    : eventPort(eventPort), path(kj::mv(path)), filling(kj::mv(filling)) {
  int fd = ::open(pressure.cStr(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd >= 0) trigger = kj::AutoCloseFd(fd);
  // With its NUL.
  if (fd < 0 || ::write(fd, TRIGGER.cStr(), TRIGGER.size() + 1) < 0) {
    KJ_LOG(WARNING, "a disk that becomes full is noticed when a program ends, and not before",
           pressure, strerror(errno));
    return;
  }
  following = follow().eagerlyEvaluate([](kj::Exception&& e) {
    KJ_LOG(ERROR, "the disk is not watched any more", e.getDescription());
  });
}

DiskWatch::~DiskWatch() noexcept(false) {}

void DiskWatch::look() {
  struct statvfs space;
  if (::statvfs(path.cStr(), &space) < 0) return;
  const auto used = uint64_t(space.f_blocks - space.f_bfree) * space.f_frsize;
  const auto total = used + uint64_t(space.f_bavail) * space.f_frsize;
  if (isNewlyFilling(used, total, isFilling)) filling(used, total);
}

kj::Promise<void> DiskWatch::follow() {
  kj::UnixEventPort::FdObserver observer(eventPort, trigger.get(),
                                         kj::UnixEventPort::FdObserver::OBSERVE_URGENT);
  for (;;) {
    co_await observer.whenUrgentDataAvailable();
    look();
    // What is written last may wait for nothing any more.
    co_await eventPort.getTimer().afterDelay(LATER_LOOK);
    look();
  }
}

}  // namespace bothy
