#include "system/machine-sleep.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <linux/fs.h>
#include <linux/random.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "process/text-file.h"
#include "schema/limits.capnp.h"

namespace bothy {
namespace {

constexpr kj::Duration LOOK_PAUSE = 5 * kj::MILLISECONDS;
constexpr size_t MOST_SEED_BYTES = 256;

void writeTo(kj::StringPtr path, kj::StringPtr value) {
  kj::AutoCloseFd file(::open(path.cStr(), O_WRONLY | O_CLOEXEC));
  if (file == nullptr || ::write(file, value.begin(), value.size()) < 0) {
    KJ_LOG(ERROR, "a setting of the kernel cannot be written", path, strerror(errno));
  }
}

// The loop gets all signals.
kj::Own<kj::Thread> startThread(kj::Function<void()> run) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  KJ_DEFER(pthread_sigmask(SIG_SETMASK, &before, nullptr));
  return kj::heap<kj::Thread>(kj::mv(run));
}

}  // namespace

KernelMachineSleep::~KernelMachineSleep() noexcept(false) {
  thaw();
}

void KernelMachineSleep::write(kj::StringPtr value) const {
  for (auto& group : groups) writeTo(kj::str(group, "/cgroup.freeze"), value);
}

bool KernelMachineSleep::isStill() const {
  for (auto& group : groups) {
    auto events = readTextFile(kj::str(group, "/cgroup.events"));
    if (strstr(events.cStr(), "frozen 1") == nullptr) return false;
  }
  return true;
}

kj::Promise<bool> KernelMachineSleep::freeze(kj::Duration thawAfter) {
  thaw();
  write("1");
  const auto deadline = timer.now() + rpc::FREEZE_LIMIT_MILLIS * kj::MILLISECONDS;
  while (!isStill()) {
    if (timer.now() >= deadline) {
      write("0");
      kj::throwFatalException(
          KJ_EXCEPTION(FAILED, kj::str("programs do not stand still within ",
                                       rpc::FREEZE_LIMIT_MILLIS, " ms: one waits for a device")));
    }
    co_await timer.afterDelay(LOOK_PAUSE);
  }
  *state.lockExclusive() = {};
  auto paf = kj::newPromiseAndCrossThreadFulfiller<bool>();
  keeper = startThread([this, thawAfter, frozen = kj::mv(paf.fulfiller)]() mutable {
    keep(thawAfter, kj::mv(frozen));
  });
  co_return co_await paf.promise;
}

void KernelMachineSleep::keep(kj::Duration thawAfter,
                              kj::Own<kj::CrossThreadPromiseFulfiller<bool>> frozen) {
  prctl(PR_SET_NAME, "bothy-sleep");
  const auto deadline = kj::systemPreciseMonotonicClock().now() + thawAfter;
  state.lockExclusive()->isFrozen = true;
  bool isDiskFrozen = false;
  KJ_IF_MAYBE (m, mount) {
    kj::AutoCloseFd directory(::openat(*m, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory != nullptr) {
      if (::syncfs(directory) < 0) KJ_LOG(ERROR, "the disk is not flushed", strerror(errno));
      // What is on the disk need not be in the memory that is saved.
      writeTo("/proc/sys/vm/drop_caches", "3");
      isDiskFrozen = ::ioctl(directory, FIFREEZE, 0) == 0;
      if (!isDiskFrozen) KJ_LOG(ERROR, "the disk does not stand still", strerror(errno));
    }
    frozen->fulfill(kj::cp(isDiskFrozen));
    {
      auto lock = state.lockExclusive();
      const auto left = deadline - kj::systemPreciseMonotonicClock().now();
      lock.wait([](const State& s) { return s.isToEnd; }, kj::max(left, 0 * kj::SECONDS));
      lock->isFrozen = false;
    }
    if (isDiskFrozen && ::ioctl(directory, FITHAW, 0) < 0) {
      KJ_LOG(ERROR, "the disk does not go on", strerror(errno));
    }
  } else {
    frozen->fulfill(false);
    auto lock = state.lockExclusive();
    const auto left = deadline - kj::systemPreciseMonotonicClock().now();
    lock.wait([](const State& s) { return s.isToEnd; }, kj::max(left, 0 * kj::SECONDS));
    lock->isFrozen = false;
  }
  write("0");
}

bool KernelMachineSleep::thaw() {
  if (keeper == nullptr) return false;
  bool wasFrozen;
  {
    auto lock = state.lockExclusive();
    wasFrozen = lock->isFrozen;
    lock->isToEnd = true;
  }
  // It has ended when this has.
  keeper = nullptr;
  return wasFrozen;
}

void KernelMachineSleep::reseed(kj::ArrayPtr<const kj::byte> seed) {
  // As rand_pool_info (random(4)) has it.
  struct {
    int bits;
    int bytes;
    kj::byte content[MOST_SEED_BYTES];
  } pool;
  const auto size = kj::min(seed.size(), MOST_SEED_BYTES);
  pool.bits = static_cast<int>(size * 8);
  pool.bytes = static_cast<int>(size);
  memcpy(pool.content, seed.begin(), size);
  kj::AutoCloseFd device(::open("/dev/urandom", O_RDWR | O_CLOEXEC));
  const int fd = device.get();
  void* argument = &pool;
  KJ_SYSCALL(::ioctl(fd, RNDADDENTROPY, argument), "the kernel takes no seed");
  KJ_SYSCALL(::ioctl(fd, RNDRESEEDCRNG), "the kernel does not seed its randomness anew");
}

}  // namespace bothy
