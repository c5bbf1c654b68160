#include "capacity/host-capacity.h"

#include <kj/debug.h>

namespace bothy {
namespace {

uint64_t without(uint64_t whole, uint64_t part) {
  return whole > part ? whole - part : 0;
}

struct Kind {
  Resource what;
  uint64_t Demand::* figure;
  uint64_t CapacityPolicy::* limit;
  kj::StringPtr unit;
  kj::StringPtr noun;
  kj::StringPtr advice;
};

constexpr Kind KINDS[] = {
    {Resource::MEMORY, &Demand::memoryMib, &CapacityPolicy::memoryMib, " MiB"_kj, "memory"_kj,
     "stop a workspace, take one with less memory, or raise memory-overcommit of bothyd"_kj},
    {Resource::CPUS, &Demand::cpus, &CapacityPolicy::cpus, ""_kj, "processors"_kj,
     "stop a workspace, take one with fewer processors, or raise cpu-overcommit of bothyd"_kj},
    {Resource::DISK, &Demand::diskMib, &CapacityPolicy::diskMib, " MiB"_kj, "room for disks"_kj,
     "delete a workspace, take a smaller disk, or raise disk-overcommit of bothyd"_kj},
};

}  // namespace

Demand operator+(const Demand& one, const Demand& other) {
  return {one.memoryMib + other.memoryMib, one.cpus + other.cpus, one.diskMib + other.diskMib};
}

Demand most(const Demand& one, const Demand& other) {
  return {kj::max(one.memoryMib, other.memoryMib), kj::max(one.cpus, other.cpus),
          kj::max(one.diskMib, other.diskMib)};
}

void HostCapacity::add(const Demand& demand) {
  total = total + demand;
}

void HostCapacity::remove(const Demand& demand) {
  for (auto& kind : KINDS) {
    KJ_ASSERT(total.*kind.figure >= demand.*kind.figure, "more is given back than was taken",
              kind.noun);
    total.*kind.figure -= demand.*kind.figure;
  }
}

HostCapacity::Share::Share(HostCapacity& capacity, Demand demand)
    : capacity(capacity), counted(demand) {
  capacity.add(counted);
}

HostCapacity::Share::~Share() noexcept(false) {
  change({});
}

void HostCapacity::Share::change(const Demand& next) {
  KJ_IF_MAYBE (host, capacity) {
    if (next == counted) return;
    host->remove(counted);
    counted = next;
    host->add(counted);
  }
}

kj::Maybe<Shortage> HostCapacity::shortageOf(const Demand& next, const Demand& own) const {
  for (auto& kind : KINDS) {
    const auto asked = next.*kind.figure, had = own.*kind.figure, limit = limits.*kind.limit;
    const auto free = without(limit, total.*kind.figure - had);
    // What it has already it keeps, also where more is promised than may be.
    if (asked <= had || asked <= free) continue;
    return Shortage{kind.what, asked, free,
                    kj::str("the host has too little ", kind.noun, " left: ", asked, kind.unit,
                            " are asked for, and ", free, " of ", limit, kind.unit, " are free; ",
                            kind.advice)};
  }
  return nullptr;
}

kj::Maybe<Shortage> HostCapacity::Share::tryChange(const Demand& next) {
  KJ_IF_MAYBE (host, capacity) {
    KJ_IF_MAYBE (shortage, host->shortageOf(next, counted)) return kj::mv(*shortage);
  }
  change(next);
  return nullptr;
}

kj::Maybe<Shortage> HostCapacity::shortageOfRoom(uint64_t freeMib, uint64_t moreMib) const {
  const auto kept = limits.freeDiskMib;
  if (freeMib >= kept + moreMib) return nullptr;
  if (moreMib > 0) {
    const auto free = without(freeMib, kept);
    return Shortage{Resource::DISK, moreMib, free,
                    kj::str("the host's disk has too little room left: ", moreMib,
                            " MiB are to be written at once, and ", free,
                            " MiB are free beside what must stay so; make room")};
  }
  return Shortage{Resource::DISK, kept, freeMib,
                  kj::str("the host's disk is full: ", freeMib, " MiB are free, and ", kept,
                          " MiB must stay so; make room, or lower disk-reserve of bothyd")};
}

}  // namespace bothy
