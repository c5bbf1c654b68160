#include "capacity/capacity-policy.h"

namespace bothy {
namespace {

constexpr uint64_t KEPT_MEMORY_SHARE = 8;
constexpr uint64_t MOST_KEPT_MEMORY_MIB = 4096;

uint64_t percentOf(uint64_t whole, uint32_t percent) {
  return whole * percent / 100;
}

uint64_t without(uint64_t whole, uint64_t kept) {
  return whole > kept ? whole - kept : 0;
}

}  // namespace

uint64_t CapacitySettings::memoryKeptOf(uint64_t hostMib) const {
  KJ_IF_MAYBE (kept, keptMemoryMib) return *kept;
  return kj::min(hostMib / KEPT_MEMORY_SHARE, MOST_KEPT_MEMORY_MIB);
}

CapacityPolicy policyFor(const CapacitySettings& settings, const HostSize& host) {
  CapacityPolicy policy;
  policy.memoryMib = percentOf(without(host.memoryMib, settings.memoryKeptOf(host.memoryMib)),
                               settings.memoryPercent);
  policy.cpus = percentOf(host.cpus, settings.cpuPercent);
  if (settings.diskPercent > 0) {
    policy.diskMib = percentOf(without(host.diskMib, settings.keptDiskMib), settings.diskPercent);
  }
  policy.freeDiskMib = settings.keptDiskMib;
  return policy;
}

}  // namespace bothy
