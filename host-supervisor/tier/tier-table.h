#pragma once

#include <kj/string.h>
#include <kj/vector.h>

#include "tier/figure-limits.h"
#include "tier/idle-policy.h"

namespace bothy {

// What workspaces of one kind have.
struct Tier {
  kj::String name;
  uint32_t cpus = 0;
  uint32_t memoryMib = 0;
  uint32_t diskMib = 0;
  // That a workspace has at a time.
  uint32_t sessions = 0;
  // What its machine may read from its disk and write to it in a second; 0: no limit.
  uint32_t readMib = 0;
  uint32_t writeMib = 0;
  uint32_t readOperations = 0;
  uint32_t writeOperations = 0;
  IdlePolicy idle = {};

  Tier clone() const;
};

constexpr size_t MAX_TIERS = 64;
constexpr size_t MAX_TIER_NAME_BYTES = 32;
constexpr uint32_t MAX_TIER_SESSIONS = 1000;
constexpr uint32_t MAX_TIER_IO_MIB = 1000000;
constexpr uint32_t MAX_TIER_OPERATIONS = 100000000;

// The tiers of this host: those of the product, as settings have changed them.
class TierTable final {
public:
  // free, pro, team and enterprise.
  TierTable();
  TierTable(const TierTable& other);
  TierTable(TierTable&&) = default;
  TierTable& operator=(TierTable&&) = default;

  // Sets figures of the tier `name`: "cpus=2 memory=2048 disk=10240 sessions=3", in MiB, and, where the disk is limited, "read=100 write=50
  // read-operations=5000 write-operations=2000" in a second; and figures of its IdlePolicy.  One that there is keeps those that are not named, and a new one needs the first
  // four; "none" removes it.  Returns what is wrong, with the limit; then nothing has changed.
  kj::Maybe<kj::String> set(kj::StringPtr name, kj::StringPtr text);

  kj::Maybe<const Tier&> find(kj::StringPtr name) const;
  // Those of the product first, others in the order in which they were set.
  kj::ArrayPtr<const Tier> all() const { return tiers; }
  // "free, pro"
  kj::String names() const;

private:
  kj::Vector<Tier> tiers;

  kj::Maybe<size_t> placeOf(kj::StringPtr name) const;
};

}  // namespace bothy
