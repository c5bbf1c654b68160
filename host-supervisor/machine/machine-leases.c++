#include "machine/machine-leases.h"

#include <kj/debug.h>

#include <algorithm>

namespace bothy {

MachineLeases::MachineLeases(kj::Timer& timer, const kj::Clock& clock, Range range)
    : timer(timer), clock(clock), range(range), places(range.count) {}

template <typename Func>
void MachineLeases::forEachPlace(const MachineRow& row, Func&& func) {
  // Of what is outside of the range the difference is beyond its end.
  const uint32_t byUid = row.uid - range.firstUid, byCid = row.cid - FIRST_CID;
  if (byUid < range.count) func(byUid);
  if (byCid != byUid && byCid < range.count) func(byCid);
}

void MachineLeases::enter(kj::ArrayPtr<const MachineRow> rows) {
  std::vector<const MachineRow*> released;
  for (auto& row : rows) {
    if (row.workspaceId.size() > 0) {
      hold(row);
    } else if (row.uid - range.firstUid < range.count) {
      released.push_back(&row);
    }
  }
  std::sort(released.begin(), released.end(), [](const MachineRow* a, const MachineRow* b) {
    return a->releasedNanos < b->releasedNanos;
  });
  for (auto row : released) {
    const uint32_t number = row->uid - range.firstUid;
    if (places[number].holders > 0) continue;
    places[number].state = Place::State::FREE;
    resting.push_back({number, timer.now() + restOf(*row)});
  }
}

void MachineLeases::bar(kj::StringPtr machine, uint32_t uid) {
  const uint32_t number = uid - range.firstUid;
  if (number >= range.count) return;
  auto create = [&]() -> decltype(barredPlaces)::Entry { return {kj::str(machine), {}}; };
  barredPlaces.findOrCreate(machine, create).add(number);
  places[number].bars++;
}

void MachineLeases::barAll(kj::StringPtr machine, kj::String why) {
  barredAll.upsert(kj::str(machine), kj::mv(why));
}

void MachineLeases::lift(kj::StringPtr machine) {
  barredAll.erase(machine);
  KJ_IF_MAYBE (barred, barredPlaces.find(machine)) {
    auto numbers = kj::mv(*barred);
    barredPlaces.erase(machine);
    for (auto number : numbers) {
      auto& place = places[number];
      if (--place.bars > 0 || place.state == Place::State::TAKEN) continue;
      // take() may have passed it over, or it may still rest since another had it.
      std::erase_if(resting, [number](const Resting& other) { return other.place == number; });
      place.state = Place::State::FREE;
      resting.push_back({number, timer.now() + LEASE_REST});
    }
  }
}

bool MachineLeases::isFree(const Place& place) const {
  return place.holders == 0 && place.bars == 0;
}

// A clock that was set back makes it no longer than it was.
kj::Duration MachineLeases::restOf(const MachineRow& row) const {
  const auto now = nanosOf(clock.now());
  if (row.releasedNanos < 0 || row.releasedNanos > now) return LEASE_REST;
  return LEASE_REST - kj::min((now - row.releasedNanos) * kj::NANOSECONDS, LEASE_REST);
}

kj::OneOf<kj::Own<MachineLeases::Lease>, MachineLeases::NoneFree> MachineLeases::take() {
  KJ_IF_MAYBE (why, closed) return NoneFree{kj::str(*why)};
  if (barredAll.size() > 0) return NoneFree{kj::str(barredAll.begin()->value)};
  auto give = [this](uint32_t place) {
    places[place].state = Place::State::TAKEN;
    return kj::refcounted<Lease>(*this, place);
  };
  while (firstFresh < places.size()) {
    auto place = firstFresh++;
    if (places[place].state == Place::State::FRESH && isFree(places[place])) return give(place);
  }
  while (!resting.empty()) {
    auto [place, until] = resting.front();
    const bool mayBeGiven = places[place].state == Place::State::FREE && isFree(places[place]);
    if (mayBeGiven && until > timer.now()) {
      auto seconds = (until - timer.now() + 1 * kj::SECONDS - 1 * kj::NANOSECONDS) / kj::SECONDS;
      return NoneFree{kj::str("all ", range.count, " user ids for machines are taken, or rest for ",
                              seconds, " more seconds: try again then, or raise uid-count")};
    }
    resting.pop_front();
    if (mayBeGiven) return give(place);
  }
  return NoneFree{kj::str("all ", range.count, " user ids for machines are taken: stop a ",
                          "workspace, or raise uid-count")};
}

void MachineLeases::giveBack(uint32_t place, bool isAside) {
  if (places[place].state != Place::State::TAKEN || places[place].holders > 0) return;
  places[place].state = Place::State::FREE;
  if (isAside) {
    resting.push_back({place, timer.now() + LEASE_REST});
  } else {
    // No machine has had it since its rest.
    resting.push_front({place, timer.now()});
  }
}

void MachineLeases::hold(const MachineRow& row) {
  forEachPlace(row, [this](uint32_t place) {
    places[place].state = Place::State::TAKEN;
    places[place].holders++;
  });
}

void MachineLeases::release(const MachineRow& row) {
  lift(row.workspaceId);
  forEachPlace(row, [this](uint32_t place) {
    KJ_ASSERT(places[place].holders > 0, "a lease is released twice", range.firstUid + place);
    if (--places[place].holders > 0) return;
    places[place].state = Place::State::FREE;
    resting.push_back({place, timer.now() + LEASE_REST});
  });
}

size_t MachineLeases::inUse() const {
  return std::count_if(places.begin(), places.end(),
                       [](const Place& p) { return p.state == Place::State::TAKEN; });
}

}  // namespace bothy
