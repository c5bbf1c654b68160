// How lanes end, and what becomes of their machine's vsock device.

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

void openAndDrop(Fixture& f) {
  auto connected = f.connect("demo").wait(f.scope);
  f.open(connected.getLane());
}

TEST_CASE("S26 a lane that ends when it is to leaves its machine's device alone") {
  Fixture f;
  f.create("demo").wait(f.scope);
  openAndDrop(f);
  pass(f, 2 * LEFT_LANE_LIMIT);
  // It was heard of, and is not asked for.
  CHECK(f.endedLanes.size() == 0);
  CHECK(f.driver.renewals == 0);
}

TEST_CASE("P09 a lane that its client gave back ends in time, though the control lane was lost") {
  Fixture f;
  f.keepsLanes = true;
  f.create("demo").wait(f.scope);
  auto machine = KJ_ASSERT_NONNULL(f.find("demo")->machine());
  f.answersEndLanes = false;
  machine->endLane(1).poll(f.scope);
  pass(f, END_ANSWER_LIMIT);
  REQUIRE_FALSE(machine->isLinked());
  f.answersEndLanes = true;
  f.endedLanes.clear();
  openAndDrop(f);
  pass(f, LANE_END_LIMIT);
  CHECK(f.driver.renewals == 0);
  CHECK(f.endedLanes.size() == 1);
  CHECK(machine->isLinked());
  f.keptLanes.clear();
  f.served.clear();
  pass(f, 2 * LEFT_LANE_LIMIT);
  CHECK(f.driver.renewals == 0);
}

TEST_CASE("P09 a guest that is merely busy keeps the lanes of its other clients") {
  Fixture f;
  f.create("demo").wait(f.scope);
  f.answersEndLanes = false;
  f.keepsLanes = true;
  openAndDrop(f);
  pass(f, LEFT_LANE_LIMIT - 1 * kj::SECONDS);
  f.keptLanes.clear();
  f.served.clear();
  pass(f, 2 * LEFT_LANE_LIMIT);
  CHECK(f.driver.renewals == 0);
}

TEST_CASE("S26 a lane that does not end has its machine's device replaced, until it is gone") {
  Fixture f;
  f.create("demo").wait(f.scope);
  f.keepsLanes = true;
  auto limit = LEFT_LANE_LIMIT;
  SECTION("its client gave it back") {
    openAndDrop(f);
  }
  SECTION("its lifetime is over") {
    limit = LANE_END_LIMIT;
    constexpr uint64_t LIFETIME_MILLIS = 100;
    auto request = f.supervisor().connectRequest();
    request.setName("demo");
    request.initWanted().setCommands();
    request.getWanted().setLifetimeMillis(LIFETIME_MILLIS);
    auto connected = request.send().wait(f.scope);
    auto lane = connected.getLane();
    pass(f, LIFETIME_MILLIS * kj::MILLISECONDS);
    CHECK(lane.whenEndedRequest().send().wait(f.scope).getReason() == rpc::LaneEnd::EXPIRED);
  }
  pass(f, limit / 2);
  CHECK(f.driver.renewals == 0);
  pass(f, limit);
  const auto renewals = f.driver.renewals;
  CHECK(renewals > 0);
  CHECK(f.endedLanes.size() == 1);
  pass(f, LANE_END_LIMIT);
  const auto more = f.driver.renewals;
  CHECK(more > renewals);
  f.keptLanes.clear();
  f.served.clear();
  pass(f, 3 * limit);
  CHECK(f.driver.renewals == more);
}

}  // namespace
}  // namespace bothy
