#pragma once

#include <kj/map.h>
#include <kj/vector.h>

#include "vm/vm-driver.h"

namespace bothy {

// What machines have taken of the processors as it was seen, in the order in which it was, until it is booked.  A machine that has ended is
// told of once, so what the database refuses is kept.
class MachineTimes final {
public:
  // What a look has found: those that run, and those that have ended since the last one.
  void see(kj::Array<VmConsumption> found);
  // Nobody has looked, or it was in vain.
  void seeNothing();

  bool hasLooked() const { return looked; }
  // In the last look.
  bool isSeen(kj::StringPtr id) const { return seen.contains(id); }
  kj::ArrayPtr<const VmConsumption> all() const { return times; }
  // One of all(), which the last look did not tell again: so it has ended.
  bool isToldNoMore(const VmConsumption& each) const { return &each < times.begin() + toldNoMore; }

  // What is in the database by now is forgotten, and the rest kept.
  template <typename Keeps>
  void keep(Keeps&& keeps) {
    kj::Vector<VmConsumption> kept;
    for (auto& each : times) {
      if (keeps(each.name)) kept.add(kj::mv(each));
    }
    replace(kj::mv(kept));
  }

private:
  kj::Vector<VmConsumption> times;
  kj::HashSet<kj::String> seen;
  bool looked = false;
  size_t toldNoMore = 0;

  void replace(kj::Vector<VmConsumption> kept);
};

}  // namespace bothy
