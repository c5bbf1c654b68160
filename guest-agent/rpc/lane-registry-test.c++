#include "rpc/lane-registry.h"

#include <capnp/message.h>
#include <kj/async.h>

#include <catch2/catch_test_macros.hpp>

#include "schema/limits.capnp.h"

namespace bothy {
namespace {

using Refusal = rpc::Refusal;
using What = rpc::AgentEvent::What;

struct World {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  LaneRegistry registry{timer};
  capnp::MallocMessageBuilder message;

  auto tryAdd(uint64_t lane, kj::StringPtr session,
              rpc::Purpose purpose = rpc::Purpose::INTERACTIVE,
              kj::Maybe<kj::Duration> lifetime = nullptr) {
    LaneGrant grant;
    grant.lane = lane;
    grant.purpose = purpose;
    grant.session = kj::str(session);
    grant.actor = kj::str("of ", session);
    grant.lifetime = lifetime;
    return registry.add(kj::mv(grant));
  }
  // Of a session of its own.
  kj::OneOf<kj::Own<LaneRegistry::Entry>, Refusal> tryAddFor(kj::StringPtr actor,
                                                             bool allLanes = false) {
    LaneGrant grant;
    grant.lane = ++lastLane;
    grant.purpose = rpc::Purpose::FILES;
    grant.session = kj::str("session ", grant.lane);
    grant.actor = kj::str(actor);
    grant.allLanes = allLanes;
    return registry.add(kj::mv(grant));
  }
  uint64_t lastLane = 0;
  kj::Own<LaneRegistry::Entry> add(uint64_t lane, kj::StringPtr session,
                                   rpc::Purpose purpose = rpc::Purpose::INTERACTIVE,
                                   kj::Maybe<kj::Duration> lifetime = nullptr) {
    auto added = tryAdd(lane, session, purpose, lifetime);
    return kj::mv(added.get<kj::Own<LaneRegistry::Entry>>());
  }
  rpc::LaneChoice::Builder choice() { return message.initRoot<rpc::LaneChoice>(); }
};

TEST_CASE("lanes over a limit are refused, of the machine and of a session") {
  World w;
  kj::Vector<kj::Own<LaneRegistry::Entry>> entries;
  uint64_t lane = 0;
  while (entries.size() < rpc::MAX_SESSION_LANES) entries.add(w.add(++lane, "one"));
  CHECK(w.tryAdd(++lane, "one").get<Refusal>() == Refusal::TOO_MANY_LANES);
  while (entries.size() < rpc::MAX_LANES) entries.add(w.add(++lane, kj::str("session ", lane)));
  CHECK(w.tryAdd(++lane, "another").get<Refusal>() == Refusal::TOO_MANY_LANES);
  // The control lane is apart.
  auto control = w.add(++lane, "", rpc::Purpose::CONTROL);
  CHECK(w.registry.size() == rpc::MAX_LANES + 1);
  entries.removeLast();
  w.add(++lane, "another");
}

// As many as there are for it.
kj::Vector<kj::Own<LaneRegistry::Entry>> takeAll(World& w, kj::StringPtr actor,
                                                 bool allLanes = false) {
  kj::Vector<kj::Own<LaneRegistry::Entry>> taken;
  for (;;) {
    auto added = w.tryAddFor(actor, allLanes);
    if (added.is<Refusal>()) {
      CHECK(added.get<Refusal>() == Refusal::TOO_MANY_LANES);
      return taken;
    }
    taken.add(kj::mv(added.get<kj::Own<LaneRegistry::Entry>>()));
  }
}

TEST_CASE("S02 over however many sessions, an actor has no more than its share of the lanes") {
  World w;
  auto first = takeAll(w, "uid 1001");
  CHECK(first.size() == rpc::MAX_ACTOR_LANES);
  auto other = w.tryAddFor("uid 1002");
  CHECK(other.is<kj::Own<LaneRegistry::Entry>>());
  first.removeLast();
  CHECK(w.tryAddFor("uid 1001").is<kj::Own<LaneRegistry::Entry>>());
}

TEST_CASE("S02 the last lanes are for actors who have none") {
  World w;
  auto first = takeAll(w, "uid 1001");
  auto second = takeAll(w, "uid 1002");
  CHECK(first.size() + second.size() == rpc::MAX_LANES - rpc::KEPT_LANES);
  kj::Vector<kj::Own<LaneRegistry::Entry>> others;
  for (kj::uint i = 0; i < rpc::KEPT_LANES; i++) {
    const auto actor = kj::str("uid ", 2000 + i);
    auto taken = takeAll(w, actor);
    REQUIRE(taken.size() == 1);
    others.add(kj::mv(taken[0]));
  }
  CHECK(w.tryAddFor("uid 3000").is<Refusal>());
}

TEST_CASE("S02 whose grant says so may have every lane") {
  World w;
  auto taken = takeAll(w, "uid 0", true);
  CHECK(taken.size() == rpc::MAX_LANES);
}

TEST_CASE("a new control lane ends the old one and no other") {
  World w;
  auto user = w.add(1, "one");
  auto first = w.add(2, "", rpc::Purpose::CONTROL);
  auto userOrder = user->onOrder(), firstOrder = first->onOrder();
  auto second = w.add(3, "", rpc::Purpose::CONTROL);
  CHECK(firstOrder.poll(w.scope));
  CHECK_FALSE(userOrder.poll(w.scope));
}

TEST_CASE("lanes are ended by number and by session, and the end is told when they are closed") {
  World w;
  auto one = w.add(1, "a");
  auto two = w.add(2, "a");
  auto three = w.add(3, "b");
  auto control = w.add(4, "a", rpc::Purpose::CONTROL);
  auto controlOrder = control->onOrder();
  auto choice = w.choice();
  choice.setSession("a");
  auto ending = w.registry.end(choice);
  CHECK_FALSE(ending.poll(w.scope));
  CHECK(one->onOrder().poll(w.scope));
  CHECK(two->onOrder().poll(w.scope));
  CHECK_FALSE(controlOrder.poll(w.scope));
  one = nullptr;
  CHECK_FALSE(ending.poll(w.scope));
  two = nullptr;
  CHECK(ending.wait(w.scope) == 2);

  choice = w.choice();
  choice.setLane(3);
  auto last = w.registry.end(choice);
  three = nullptr;
  CHECK(last.wait(w.scope) == 1);
  choice.setLane(99);
  CHECK(w.registry.end(choice).wait(w.scope) == 0);
}

TEST_CASE("a lane ends with its lifetime") {
  World w;
  auto entry = w.add(1, "a", rpc::Purpose::INTERACTIVE, 5 * kj::SECONDS);
  auto ordered = entry->onOrder();
  CHECK_FALSE(ordered.poll(w.scope));
  w.timer.advanceTo(w.timer.now() + 5 * kj::SECONDS);
  ordered.wait(w.scope);
  entry = nullptr;
  CHECK(w.registry.feed().events().back().what == What::EXPIRED);
}

TEST_CASE("P41 the ends of lanes are numbered, and kept for who comes later") {
  World w;
  auto first = w.registry.feed().onEventAfter(0);
  auto lane = w.add(7, "a");
  // That a lane has begun takes no place of an end.
  CHECK_FALSE(first.poll(w.scope));
  lane = nullptr;
  CHECK(first.poll(w.scope));
  w.add(8, "a");
  REQUIRE(w.registry.feed().events().size() == 2);
  CHECK(w.registry.feed().events()[0].what == What::ENDED);
  CHECK(w.registry.feed().events()[0].lane == 7);
  CHECK(w.registry.feed().events()[0].number == 1);
  CHECK(w.registry.feed().events()[1].lane == 8);
  CHECK(w.registry.feed().events()[1].number == 2);
  CHECK(w.registry.feed().onEventAfter(1).poll(w.scope));
  CHECK_FALSE(w.registry.feed().onEventAfter(2).poll(w.scope));
  w.registry.feed().forget(1);
  REQUIRE(w.registry.feed().events().size() == 1);
  CHECK(w.registry.feed().events()[0].number == 2);
  for (uint64_t lane = 9; lane < 9 + rpc::MAX_AGENT_EVENTS; lane++) w.add(lane, "a");
  CHECK(w.registry.feed().events().size() == rpc::MAX_AGENT_EVENTS);
  CHECK(w.registry.feed().events().back().number == w.registry.feed().newestEvent());
}

}  // namespace
}  // namespace bothy
