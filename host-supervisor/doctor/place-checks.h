#pragma once

#include <stdint.h>

#include "doctor/finding.h"
#include "doctor/host-facts.h"

namespace bothy {

// User ids behind those of machines: the probe's, and that of the process that kills a machine's.
constexpr uint32_t SERVICE_UIDS = 2;

// What bothyd is set to use of the host.
struct ExaminedPlaces {
  kj::String stateDir;
  kj::String runtimeDir;
  // User ids of machines; SERVICE_UIDS more follow.
  uint32_t firstUid;
  uint32_t uidCount;
  // Of a workspace that does not say.
  uint64_t diskBytes;
};

// Whether bothyd has the rights that it needs.
Finding checkRoot(const HostFacts& facts);
// Sockets and the secrets of running machines lie in the runtime directory.
Finding checkRuntimeDirectory(const HostFacts& facts, const ExaminedPlaces& places);
Finding checkStateDirectory(const HostFacts& facts, const ExaminedPlaces& places);
// Whether the user ids of machines are nobody else's.
Finding checkUserIds(const HostFacts& facts, const ExaminedPlaces& places);

}  // namespace bothy
