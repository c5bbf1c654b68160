#include "metering/machine-times.h"

namespace bothy {
namespace {

// That are not booked: the oldest give way.
constexpr size_t MOST_KEPT = 16384;

}  // namespace

void MachineTimes::see(kj::Array<VmConsumption> found) {
  seeNothing();
  looked = true;
  kj::HashSet<uint64_t> again;
  for (auto& each : found) {
    again.upsert(each.qemu, [](uint64_t&, uint64_t&&) {});
    seen.upsert(kj::str(each.name), [](kj::String&, kj::String&&) {});
  }
  kj::Vector<VmConsumption> all(times.size() + found.size());
  for (auto& each : times) {
    if (!again.contains(each.qemu)) all.add(kj::mv(each));
  }
  toldNoMore = all.size();
  for (auto& each : found) all.add(kj::mv(each));
  times = kj::mv(all);
}

void MachineTimes::seeNothing() {
  looked = false;
  toldNoMore = 0;
  seen.clear();
}

void MachineTimes::replace(kj::Vector<VmConsumption> kept) {
  times.clear();
  toldNoMore = 0;
  const size_t begin = kept.size() - kj::min(kept.size(), MOST_KEPT);
  for (size_t i = begin; i < kept.size(); i++) times.add(kj::mv(kept[i]));
}

}  // namespace bothy
