#include "doctor/capacity-checks.h"

namespace bothy {

Finding checkCapacity(const ExaminedPlaces& places) {
  constexpr kj::StringPtr NAME = "capacity"_kj;
  auto& capacity = places.capacity;
  auto found = kj::str("machines may have ", capacity.mostMemoryMib, " MiB and ", capacity.mostCpus,
                       " processors, of ", capacity.hostMemoryMib, " MiB and ", capacity.hostCpus);
  if (capacity.mostMemoryMib > capacity.hostMemoryMib) {
    return warning(NAME, kj::mv(found),
                   kj::str("the host cannot give so much memory when all of it is used, and kills "
                           "machines then: set "
                           "memory-overcommit to 1"));
  }
  if (capacity.mostMemoryMib < capacity.leastMemoryMib) {
    return warning(NAME, kj::mv(found),
                   kj::str("not even a machine of default-memory (", capacity.leastMemoryMib,
                           " MiB) fits: lower memory-reserve, or take a larger host"));
  }
  if (capacity.mostCpus < 1) {
    return warning(NAME, kj::mv(found), kj::str("no machine fits: raise cpu-overcommit"));
  }
  if (capacity.diskPercent > 100) {
    return warning(
        NAME, kj::str(found, ", and disks ", capacity.diskPercent, " % of the host's"),
        kj::str("machines stand still when the host's disk is full: set disk-overcommit to 1"));
  }
  return good(NAME, kj::mv(found));
}

}  // namespace bothy
