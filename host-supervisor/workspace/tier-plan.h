#pragma once

#include <kj/vector.h>

#include "store/records.h"
#include "tier/tier-table.h"

namespace bothy {

// How a change of a workspace's tier is asked for.
struct TierWish {
  // If not, it is only planned.
  bool isApplied = false;
  // Where the tier has a smaller disk, the rest is changed.
  bool keepsDisk = false;
};

// What a change of a workspace's tier does, and when.
struct TierPlan {
  // The numbers are on the wire.
  enum class Figure : uint8_t {
    CPUS = 0,
    MEMORY_MIB = 1,
    DISK_MIB = 2,
    SESSIONS = 3,
    READ_BYTES = 4,
    WRITE_BYTES = 5,
    READ_OPERATIONS = 6,
    WRITE_OPERATIONS = 7,
  };
  enum class When : uint8_t { NOW = 0, NEXT_START = 1, NEVER = 2 };
  struct Change {
    Figure figure;
    uint64_t before;
    uint64_t after;
    When when;
  };

  // What its machine may do with its disk could not be changed at once.
  void delayIo();

  // Figures that stay are not among them.
  kj::Vector<Change> changes;
  // Why it cannot be done, one line; empty if it can.
  kj::String refusal;
};

// What the machine that runs has, or if none does the next one.
struct PresentFigures {
  uint32_t cpus;
  uint32_t memoryMib;
};
PresentFigures presentFigures(const WorkspaceRow& row, kj::Maybe<const MachineRow&> running);

// `before`: the tier that it has; of one that has none, or whose tier is not known any more, the figures that count instead.
TierPlan planTier(const WorkspaceRow& row, kj::Maybe<const MachineRow&> running, const Tier& before,
                  const Tier& after, const TierWish& wish);

// The row with that tier.
WorkspaceRow withTier(const WorkspaceRow& row, const Tier& tier);

}  // namespace bothy
