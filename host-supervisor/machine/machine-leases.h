#pragma once

#include <kj/map.h>
#include <kj/memory.h>
#include <kj/one-of.h>
#include <kj/refcount.h>
#include <kj/time.h>
#include <kj/timer.h>
#include <kj/vector.h>

#include <deque>
#include <vector>

#include "loop/slots.h"
#include "store/records.h"

namespace bothy {

// The first guest address that vsock(7) does not reserve.
constexpr uint32_t FIRST_CID = 3;

// How long a user id rests between two machines.  Nothing of the first is left when it begins; what still has its name or its number by
// mistake (a path, a log, a client) learns of its end meanwhile.
constexpr kj::Duration LEASE_REST = 60 * kj::SECONDS;

// The user ids and guest addresses of this host's machines.  Who has which is in the store: this is told of it when it is stored.
class MachineLeases final {
public:
  struct Range {
    // Each machine has a user id of its own from here; so many machines there can be.
    uint32_t firstUid = 700000;
    uint32_t count = 10000;
  };

  MachineLeases(kj::Timer& timer, const kj::Clock& clock, Range range);
  KJ_DISALLOW_COPY_AND_MOVE(MachineLeases);

  // Once, before any is taken: the rows of the store.
  void enter(kj::ArrayPtr<const MachineRow> rows);
  // Until lift(machine) nobody is given that one: this machine or its disk has it, and no row tells so.  Each may have another.
  void bar(kj::StringPtr machine, uint32_t uid);
  // Until lift(machine) nobody is given any, for that reason: which one this machine has is not known.
  void barAll(kj::StringPtr machine, kj::String why);
  // Nothing is left of that machine, nor a disk that is its user's: what was barred for it, if anything, rests from now on.
  void lift(kj::StringPtr machine);
  // Until reopen() nobody is given any, for that reason: which ones machines have is not known.
  void close(kj::String why) { closed = kj::mv(why); }
  void reopen() { closed = nullptr; }

  // Nobody else's while this lives, and once it is stored.
  class Lease final: public kj::Refcounted {
  public:
    Lease(MachineLeases& pool, uint32_t place) : pool(pool), place(place) {}
    ~Lease() noexcept(false) { pool.giveBack(place, isAside); }
    KJ_DISALLOW_COPY_AND_MOVE(Lease);
    uint32_t uid() const { return pool.range.firstUid + place; }
    uint32_t cid() const { return FIRST_CID + place; }
    // The store refuses it: when it is given back all others come before it.
    void setAside() { isAside = true; }

  private:
    MachineLeases& pool;
    const uint32_t place;
    bool isAside = false;
  };
  struct NoneFree {
    // For people, with what to do.
    kj::String why;
  };
  // The one that has rested longest.
  kj::OneOf<kj::Own<Lease>, NoneFree> take();

  // It is stored that a workspace has it, or has it no more: then it rests.
  void hold(const MachineRow& row);
  void release(const MachineRow& row);

  // Machines that are removed in the background at once, with what of them keeps their leases: after an upgrade there may be as many as
  // workspaces.
  static constexpr size_t REMOVALS_AT_ONCE = 16;
  Slots removals{REMOVALS_AT_ONCE};

  // Taken, or held.
  size_t inUse() const;

private:
  // In the order of user ids.  A lease of an earlier range may have the user id of one place and the address of another.
  struct Place {
    enum class State : uint8_t { FRESH, FREE, TAKEN } state = State::FRESH;
    uint16_t bars = 0;
    uint8_t holders = 0;
  };
  struct Resting {
    uint32_t place;
    kj::TimePoint until;
  };

  kj::Timer& timer;
  const kj::Clock& clock;
  const Range range;
  std::vector<Place> places;
  // Those below were given, or are held.
  uint32_t firstFresh = 0;
  // Those that are FREE, the oldest first.
  std::deque<Resting> resting;
  // By the machine that has it.
  kj::TreeMap<kj::String, kj::Vector<uint32_t>> barredPlaces;
  kj::TreeMap<kj::String, kj::String> barredAll;
  kj::Maybe<kj::String> closed;

  bool isFree(const Place& place) const;
  // What is left of it.
  kj::Duration restOf(const MachineRow& row) const;
  void giveBack(uint32_t place, bool isAside);
  template <typename Func>
  void forEachPlace(const MachineRow& row, Func&& func);
};

}  // namespace bothy
