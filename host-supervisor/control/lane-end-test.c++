// How lanes end, and what becomes of their machine's vsock device.

#include <kj/debug.h>
#include <poll.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "control/lane-keeper.h"
#include "control/supervisor-fixture.h"
#include "support/few-files.h"

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

// A thread hears of hang-ups; `f` has its own time, which goes slowly.
constexpr auto REAL_TURN = 5 * kj::MILLISECONDS;
constexpr auto TURN = 1 * kj::MILLISECONDS;

// Until the keeper has looked for the reason of one.
void awaitHangUp(Fixture& f) {
  constexpr int MOST_TURNS = 2000;
  const auto before = f.driver.endsAsked;
  for (int i = 0; i < MOST_TURNS && f.driver.endsAsked == before; i++) {
    f.io.provider->getTimer().afterDelay(REAL_TURN).wait(f.scope);
    f.advance(TURN);
  }
  REQUIRE(f.driver.endsAsked > before);
}

void openAndDrop(Fixture& f) {
  auto connected = f.connect("demo").wait(f.scope);
  f.open(connected.getLane());
}

TEST_CASE("P09 each reason why a lane ended is told") {
  Fixture f;
  f.create("demo").wait(f.scope);
  constexpr uint64_t LIFETIME_MILLIS = 5000;
  auto request = f.supervisor().connectRequest();
  request.setName("demo");
  request.initWanted().setCommands();
  request.getWanted().setLifetimeMillis(LIFETIME_MILLIS);
  auto connected = request.send().wait(f.scope);
  auto ending = connected.getLane().whenEndedRequest().send();
  pass(f, LIFETIME_MILLIS / 2 * kj::MILLISECONDS);
  REQUIRE_FALSE(ending.poll(f.scope));
  auto machine = KJ_ASSERT_NONNULL(f.find("demo")->machine());

  rpc::LaneEnd expected{};
  SECTION("its lifetime is over") {
    expected = rpc::LaneEnd::EXPIRED;
    pass(f, LIFETIME_MILLIS / 2 * kj::MILLISECONDS);
  }
  SECTION("the machine stands still") {
    expected = rpc::LaneEnd::STALLED;
    f.driver.stall(f.driver.running()[0]);
  }
  SECTION("the machine has ended") {
    expected = rpc::LaneEnd::STOPPED;
    auto stop = f.supervisor().stopRequest();
    stop.setName("demo");
    stop.send().wait(f.scope);
    f.served.clear();
  }
  SECTION("the machine ends, and its driver is at it for long") {
    expected = rpc::LaneEnd::STOPPED;
    f.driver.beginEnd(f.driver.running()[0]);
    f.served.clear();
  }
  SECTION("the device was replaced, and all lanes of the machine with it") {
    expected = rpc::LaneEnd::DEVICE_REPLACED;
    f.driver.loseVsock(f.driver.running()[0]);
    f.served.clear();
  }
  SECTION("the device was replaced, which was told after its lanes had broken") {
    expected = rpc::LaneEnd::DEVICE_REPLACED;
    f.served.clear();
    awaitHangUp(f);
    REQUIRE_FALSE(ending.poll(f.scope));
    f.driver.loseVsock(f.driver.running()[0]);
  }
  SECTION("the machine has ended, which was told after its lanes had broken") {
    expected = rpc::LaneEnd::STOPPED;
    f.served.clear();
    awaitHangUp(f);
    REQUIRE_FALSE(ending.poll(f.scope));
    f.driver.end(f.driver.running()[0], VmEnd::EXITED);
  }
  SECTION("all lanes have broken, and neither the machine nor its device is gone") {
    expected = rpc::LaneEnd::AGENT_GONE;
    f.served.clear();
    // The control lane is not had again.
    f.holdsDials = true;
  }
  SECTION("the agent closed it, and no other") {
    expected = rpc::LaneEnd::AGENT_GONE;
    for (auto& agent : f.served) {
      if (agent->grants.empty()) continue;
      if (agent->grants[0].purpose == rpc::Purpose::COMMANDS) agent->breakConnections();
    }
    CHECK(machine->isLinked());
  }
  SECTION("the agent closed it, after the control lane was lost by itself") {
    expected = rpc::LaneEnd::AGENT_GONE;
    auto breakThose = [&](bool areControl) {
      for (auto& agent : f.served) {
        if (agent->grants.empty()) continue;
        const auto purpose = agent->grants[0].purpose;
        if ((purpose == rpc::Purpose::CONTROL) == areControl) agent->breakConnections();
      }
    };
    breakThose(true);
    pass(f, LEAST_REOPEN_PAUSE);
    breakThose(false);
  }
  // A thread hears of hang-ups.
  for (int i = 0; i < 3000 && !ending.poll(f.scope); i++) {
    f.io.provider->getTimer().afterDelay(10 * kj::MILLISECONDS).wait(f.scope);
    f.advance(10 * kj::MILLISECONDS);
  }
  REQUIRE(ending.poll(f.scope));
  CHECK(ending.wait(f.scope).getReason() == expected);
  // Whoever asks later gets the same.
  CHECK(connected.getLane().whenEndedRequest().send().wait(f.scope).getReason() == expected);
}

TEST_CASE("S26 a lane is held by the call that waits for its end, as by the capability") {
  Fixture f;
  f.create("demo").wait(f.scope);
  auto connected = f.connect("demo").wait(f.scope);
  int copy;
  KJ_SYSCALL(copy = dup(KJ_ASSERT_NONNULL(connected.getLane().getFd().wait(f.scope))));
  kj::AutoCloseFd socket(copy);
  auto hasEnded = [&]() {
    f.settle();
    pollfd look = {socket, POLLRDHUP, 0};
    KJ_SYSCALL(poll(&look, 1, 0));
    return look.revents != 0;
  };
  kj::Maybe<kj::Promise<void>> waiting =
      connected.getLane().whenEndedRequest().send().ignoreResult();
  {
    auto dropped = kj::mv(connected);
  }
  CHECK_FALSE(hasEnded());
  waiting = nullptr;
  CHECK(hasEnded());
}

TEST_CASE("S26 a lane that ends when it is to leaves its machine's device alone") {
  Fixture f;
  f.create("demo").wait(f.scope);
  openAndDrop(f);
  pass(f, 2 * LANE_END_LIMIT);
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
  pass(f, 1 * kj::SECONDS);
  CHECK(f.driver.renewals == 0);
  CHECK(f.endedLanes.size() == 1);
  CHECK(machine->isLinked());
  f.keptLanes.clear();
  f.served.clear();
  pass(f, 2 * LANE_END_LIMIT);
  CHECK(f.driver.renewals == 0);
}

TEST_CASE("P09 a guest that is merely busy keeps the lanes of its other clients") {
  Fixture f;
  f.create("demo").wait(f.scope);
  f.answersEndLanes = false;
  f.keepsLanes = true;
  openAndDrop(f);
  pass(f, LANE_END_LIMIT - 1 * kj::SECONDS);
  f.keptLanes.clear();
  f.served.clear();
  pass(f, 2 * LANE_END_LIMIT);
  CHECK(f.driver.renewals == 0);
}

TEST_CASE("S26 a lane of which nobody can be asked for want of files is looked at again") {
  Fixture f;
  f.create("demo").wait(f.scope);
  f.keepsLanes = true;
  openAndDrop(f);
  pass(f, LANE_END_LIMIT / 2);
  {
    FewFiles none(0);
    pass(f, LANE_END_LIMIT);
    // That it is open cannot be told, nor that it is not.
    CHECK(f.driver.renewals == 0);
  }
  pass(f, 1 * kj::SECONDS);
  CHECK(f.driver.renewals > 0);
}

TEST_CASE("S26 a lane that does not end has its machine's device replaced, until it is gone") {
  Fixture f;
  f.create("demo").wait(f.scope);
  f.keepsLanes = true;
  const auto limit = LANE_END_LIMIT;
  SECTION("its client gave it back") {
    openAndDrop(f);
  }
  SECTION("its lifetime is over") {
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
  pass(f, limit);
  const auto more = f.driver.renewals;
  CHECK(more > renewals);
  f.keptLanes.clear();
  f.served.clear();
  pass(f, 3 * limit);
  CHECK(f.driver.renewals == more);
}

}  // namespace
}  // namespace bothy
