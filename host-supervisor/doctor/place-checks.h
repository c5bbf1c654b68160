#pragma once

#include <stdint.h>

#include "doctor/finding.h"
#include "doctor/host-facts.h"

namespace bothy {

// User ids behind those of machines: the probe's, and that of the process that kills a machine's.
constexpr uint32_t SERVICE_UIDS = 2;

// What bothyd is set to promise of the host, and what that has.
struct ExaminedCapacity {
  uint64_t hostMemoryMib = 0;
  uint64_t hostCpus = 0;
  uint64_t mostMemoryMib = 0;
  uint64_t mostCpus = 0;
  // Of a workspace that does not say.
  uint64_t leastMemoryMib = 0;
  // Of the host's disk, that disks may have; 0: as much as anybody asks for.
  uint32_t diskPercent = 0;
};

// What bothyd is set to use of the host.
struct ExaminedPlaces {
  kj::String stateDir;
  kj::String runtimeDir;
  // User ids of machines; SERVICE_UIDS more follow.
  uint32_t firstUid;
  uint32_t uidCount;
  // Of a workspace that does not say.
  uint64_t diskBytes;
  ExaminedCapacity capacity = {};
};

// Whether bothyd has the rights that it needs.
Finding checkRoot(const HostFacts& facts);
// Sockets and the secrets of running machines lie in the runtime directory.
Finding checkRuntimeDirectory(const HostFacts& facts, const ExaminedPlaces& places);
Finding checkStateDirectory(const HostFacts& facts, const ExaminedPlaces& places);
// Whether the user ids of machines are nobody else's.
Finding checkUserIds(const HostFacts& facts, const ExaminedPlaces& places);

}  // namespace bothy
