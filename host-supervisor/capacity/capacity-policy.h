#pragma once

#include <stdint.h>

#include <kj/common.h>

namespace bothy {

// The most that all machines and disks of this host may be promised together.
struct CapacityPolicy {
  static constexpr uint64_t UNLIMITED = UINT64_MAX;

  // Of machines that run, are paused or start.
  uint64_t memoryMib = UNLIMITED;
  uint64_t cpus = UNLIMITED;
  // Sizes of the disks of all workspaces.
  uint64_t diskMib = UNLIMITED;
  // That must be free on the host's disk for anything to be made, started or resized.
  uint64_t freeDiskMib = 0;
};

// As settings have it.
struct CapacitySettings {
  // So many hundredths of what the host has, less what is kept for itself, may be promised.
  uint32_t memoryPercent = 100;
  // None: an eighth of the host's memory, at most 4 GiB.
  kj::Maybe<uint32_t> keptMemoryMib;
  uint32_t cpuPercent = 1600;
  // 0: as much as anybody asks for; disks are sparse.
  uint32_t diskPercent = 0;
  uint32_t keptDiskMib = 256;

  uint64_t memoryKeptOf(uint64_t hostMib) const;
};

struct HostSize {
  uint64_t memoryMib;
  uint32_t cpus;
  // Of the file system that has the disks.
  uint64_t diskMib;
};

CapacityPolicy policyFor(const CapacitySettings& settings, const HostSize& host);

}  // namespace bothy
