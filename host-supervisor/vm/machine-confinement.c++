#include "vm/machine-confinement.h"

#include <sys/resource.h>

#include <kj/common.h>
#include <kj/debug.h>

#include "vm/seccomp-profile.h"

namespace bothy {
namespace {

// Threads of QEMU and of the vsock device together, as they are one user's: 16 CPUs, 64 that wait for a disk, and some ten others.
constexpr uint64_t MACHINE_PROCESSES = 256;
// It has 35 open.
constexpr uint64_t EMULATOR_FILES = 1024;
// One for each stream.  bothyd has fewer than 100 open at a time, but vhost-device-vsock 0.3.0 keeps a broken dial until its guest answers,
// and when it has no descriptor left it takes no dial for ever, and does not end.
constexpr uint64_t DEVICE_FILES = 16384;

uint64_t atMost(__rlimit_resource_t resource, uint64_t wanted) {
  struct rlimit own;
  KJ_SYSCALL(getrlimit(resource, &own));
  return kj::min(static_cast<uint64_t>(own.rlim_max), wanted);
}

}  // namespace

EmulatorLimits emulatorLimits() {
  return {atMost(RLIMIT_NPROC, MACHINE_PROCESSES), atMost(RLIMIT_NOFILE, EMULATOR_FILES)};
}

ChildSpec::Confinement vsockDeviceConfinement() {
  return {atMost(RLIMIT_NPROC, MACHINE_PROCESSES), atMost(RLIMIT_NOFILE, DEVICE_FILES),
          vsockDeviceFilter()};
}

}  // namespace bothy
