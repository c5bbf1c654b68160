#include "vm/machine-confinement.h"

#include <sys/resource.h>

#include <kj/common.h>
#include <kj/debug.h>

namespace bothy {
namespace {

// Threads of QEMU and of the vsock device together, as they are one user's: 16 CPUs, 64 that wait for a disk, and some ten others.
constexpr uint64_t MACHINE_PROCESSES = 256;
// QEMU has 35 open; its vsock device one for each stream besides, of which there are fewer than 100.
constexpr uint64_t MACHINE_FILES = 1024;

uint64_t atMost(__rlimit_resource_t resource, uint64_t wanted) {
  struct rlimit own;
  KJ_SYSCALL(getrlimit(resource, &own));
  return kj::min(static_cast<uint64_t>(own.rlim_max), wanted);
}

}  // namespace

ChildSpec::Confinement machineConfinement() {
  return {atMost(RLIMIT_NPROC, MACHINE_PROCESSES), atMost(RLIMIT_NOFILE, MACHINE_FILES)};
}

}  // namespace bothy
