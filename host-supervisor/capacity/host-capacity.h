#pragma once

#include <kj/string.h>

#include "capacity/capacity-policy.h"

namespace bothy {

// What a workspace takes of its host.
struct Demand {
  uint64_t memoryMib = 0;
  uint64_t cpus = 0;
  uint64_t diskMib = 0;

  bool operator==(const Demand& other) const = default;
};
Demand operator+(const Demand& one, const Demand& other);
// Of each the larger.
Demand most(const Demand& one, const Demand& other);

enum class Resource { MEMORY, CPUS, DISK };

// What there is too little of: in MiB, of processors their number.
struct Shortage {
  Resource what;
  uint64_t asked;
  uint64_t free;
  // For people, one line, with what to do.
  kj::String why;
};

// What all workspaces of this host take of it.  It keeps nothing of its own: each workspace counts for what its rows say, so that
// whatever ends, fails or is found after a restart counts for what it is.
class HostCapacity final {
public:
  explicit HostCapacity(CapacityPolicy policy) : limits(policy) {}
  KJ_DISALLOW_COPY_AND_MOVE(HostCapacity);

  const CapacityPolicy& policy() const { return limits; }
  const Demand& used() const { return total; }

  // Of one workspace, until it is dropped.
  class Share final {
  public:
    // Counts, whether or not it fits.
    explicit Share(HostCapacity& capacity, Demand demand = {});
    ~Share() noexcept(false);
    KJ_DISALLOW_COPY_AND_MOVE(Share);

    const Demand& demand() const { return counted; }
    // Has it count for `next` from now on, whether or not that fits.
    void change(const Demand& next);
    // The same if what it takes more of fits; else nothing changes.
    kj::Maybe<Shortage> tryChange(const Demand& next);
    // The HostCapacity ends before it: nothing is counted any more.
    void disown() { capacity = nullptr; }

  private:
    kj::Maybe<HostCapacity&> capacity;
    Demand counted;
  };

  // Of a workspace that rests without a Share.
  void add(const Demand& demand);
  void remove(const Demand& demand);

  // Of a workspace that takes `own` and would take `next` in place of that.
  kj::Maybe<Shortage> shortageOf(const Demand& next, const Demand& own) const;
  // Whether so much free room on the host's disk is too little for anything to begin, or for what writes `moreMib` at once.
  kj::Maybe<Shortage> shortageOfRoom(uint64_t freeMib, uint64_t moreMib = 0) const;

private:
  const CapacityPolicy limits;
  Demand total;
};

}  // namespace bothy
