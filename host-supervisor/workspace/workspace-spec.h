#pragma once

#include <kj/one-of.h>

#include "tier/tier-table.h"
#include "volume/volume-store.h"
#include "workspace/given-configuration.h"
#include "workspace/workspace-id.h"

namespace bothy {

// What a client asks for: 0 and empty stand for the default.
struct GivenSpec {
  kj::String name;
  kj::String image;
  uint32_t cpus = 0;
  uint32_t memoryMib = 0;
  uint32_t diskMib = 0;
  // Whose figures it has; none is given beside it.
  kj::String tier = nullptr;
  // Checked already.
  GivenConfiguration configuration = {};

  GivenSpec clone() const;
};

struct SpecDefaults {
  uint32_t cpus = 1;
  uint32_t memoryMib = 512;
  uint32_t diskMib = 4096;
};

// What a workspace is made of, with everything filled in and within the limits.
struct CheckedSpec {
  WorkspaceName name;
  kj::String image;
  uint32_t cpus;
  uint32_t memoryMib;
  uint32_t diskMib;
  // Empty: none.
  kj::String tier;
};

// The spec, or what is wrong with it: field, value and limit, one line.
kj::OneOf<CheckedSpec, kj::String> check(const GivenSpec& given, const SpecDefaults& defaults,
                                         const TierTable& tiers);

// What is wrong with `name` as that of a tier, in the same form.
kj::String noSuchTier(kj::StringPtr name, const TierTable& tiers);

// The same of a tier that a workspace is to have.
kj::Maybe<kj::String> checkHost(const Tier& tier, uint32_t hostMemoryMib);
// What is wrong with it on this host, in the same form: no machine can have more memory than its host.
kj::Maybe<kj::String> checkHost(const CheckedSpec& spec, uint32_t hostMemoryMib);

// What is wrong with `wantedMib` as the new size of a disk of `presentMib`: value and limit, one line.  `tierMib`: what its tier has.
kj::Maybe<kj::String> checkGrowth(uint32_t presentMib, uint32_t wantedMib,
                                  kj::Maybe<uint32_t> tierMib = nullptr);

// Equal for two requests exactly when they ask for the same.
kj::String canonicalText(const GivenSpec& given);

constexpr kj::StringPtr DEFAULT_IMAGE = "base"_kj;
// To which a disk that has no more grows.
constexpr uint32_t MAX_GROWN_DISK_MIB = MAX_GROWN_VOLUME_BYTES >> 20;

}  // namespace bothy
