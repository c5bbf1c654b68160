#include "machine/start-fault.h"

#include <string.h>

#include "machine/machine-end.h"

namespace bothy {
namespace {

// As the kernel's panic() writes it (kernel/panic.c).
constexpr kj::StringPtr PANIC = "Kernel panic - not syncing: "_kj;
constexpr size_t MAX_REASON_BYTES = 200;

// The kernel's own words, or empty.
kj::String panicReason(kj::StringPtr console) {
  const char* found = strstr(console.cStr(), PANIC.cStr());
  if (found == nullptr) return kj::String();
  found += PANIC.size();
  return kj::heapString(found, kj::min(strcspn(found, "\r\n"), MAX_REASON_BYTES));
}

// init/main.c, init/do_mounts.c and kernel/exit.c: there is none (the kernel then looks for a root of its own, which
// machines have not), the given one does not run, or it has ended.
bool isAboutInit(kj::StringPtr reason) {
  return reason.startsWith("No working init found") || reason.startsWith("Requested init ") ||
         reason.startsWith("Attempted to kill init") ||
         reason.startsWith("VFS: Unable to mount root fs");
}

}  // namespace

bool hasPanic(kj::StringPtr console) {
  return strstr(console.cStr(), PANIC.cStr()) != nullptr;
}

BootFailure failureOfBoot(VmEnd end, kj::StringPtr console) {
  auto message = kj::str("while booting, ", describe(end));
  if (end == VmEnd::EXITED) return {StartFault::VMM_EXITED, kj::mv(message)};
  if (end == VmEnd::POWERED_OFF || end == VmEnd::DESTROYED) {
    return {StartFault::OTHER, kj::mv(message)};
  }
  // A kernel without pvpanic's driver resets the machine instead.
  auto reason = panicReason(console);
  if (reason.size() == 0) {
    return {end == VmEnd::CRASHED ? StartFault::KERNEL_PANIC : StartFault::OTHER, kj::mv(message)};
  }
  return {isAboutInit(reason) ? StartFault::NO_INIT : StartFault::KERNEL_PANIC,
          kj::str(message, ": ", reason)};
}

}  // namespace bothy
