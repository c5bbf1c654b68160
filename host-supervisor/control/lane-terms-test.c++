// Lanes' lifetimes, and the sessions that they belong to.

#include <catch2/catch_test_macros.hpp>

#include "control/lane-keeper.h"
#include "control/supervisor-fixture.h"

namespace bothy {
namespace {

// What is due meanwhile is done when it is due.
void pass(Fixture& f, kj::Duration time) {
  constexpr auto STEP = 10 * kj::MILLISECONDS;
  f.settle();
  for (auto passed = 0 * kj::SECONDS; passed < time; passed += STEP) {
    f.advance(STEP);
    f.settle();
  }
}

TEST_CASE("P09 lifetimes that a client gives its lanes cost no other client a lane") {
  Fixture f;
  f.create("demo").wait(f.scope);
  // The agent is busy: it hears of nothing for a while.
  constexpr auto BUSY = 3 * kj::SECONDS;
  static_assert(BUSY < LANE_END_LIMIT);
  f.keepsLanes = true;
  f.answersEndLanes = false;
  constexpr uint64_t LIFETIME_MILLIS = 1;
  auto request = f.supervisor().connectRequest();
  request.setName("demo");
  request.initWanted().setCommands();
  request.getWanted().setLifetimeMillis(LIFETIME_MILLIS);
  auto lane = request.send().wait(f.scope).getLane();
  pass(f, LIFETIME_MILLIS * kj::MILLISECONDS);
  CHECK(lane.whenEndedRequest().send().wait(f.scope).getReason() == rpc::LaneEnd::EXPIRED);
  pass(f, BUSY);
  f.keptLanes.clear();
  f.served.clear();
  pass(f, 2 * LANE_END_LIMIT);
  CHECK(f.driver.renewals == 0);
}

kj::String sessionOfNewLane(Fixture& f) {
  f.served.clear();
  auto connected = f.connect("demo").wait(f.scope);
  auto lane = f.open(connected.getLane());
  lane->answer().wait(f.scope);
  for (auto& agent : f.served) {
    for (auto& grant : agent->grants) {
      if (grant.purpose != rpc::Purpose::CONTROL) return kj::str(grant.session);
    }
  }
  KJ_FAIL_REQUIRE("no lane was granted");
}

TEST_CASE("P41 clients of two bothyds that have the same pid share no session") {
  Fixture f;
  f.create("demo").wait(f.scope);
  f.start = nameOfStart(f.randomness);
  f.serve();
  auto first = sessionOfNewLane(f);
  CHECK(first == sessionOfNewLane(f));
  f.start = nameOfStart(f.randomness);
  f.serve();
  CHECK(first != sessionOfNewLane(f));
}

}  // namespace
}  // namespace bothy
