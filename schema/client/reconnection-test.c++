#include "client/reconnection.h"

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "client/client-test-world.h"

namespace bothy {
namespace {

// Work that needs a lane; what comes of it the test says.
struct Work: public ClientTestWorld {
  kj::uint uses = 0;
  kj::Vector<kj::Own<WorkspaceLane>> lanes;
  // What the next uses come to: those that have no entry are answered.
  kj::Vector<kj::Exception::Type> failures;
  bool neverAnswers = false;

  Reconnection::Use use() {
    return [this](kj::Own<WorkspaceLane> lane) -> kj::Promise<void> {
      lanes.add(kj::mv(lane));
      if (uses < failures.size()) {
        auto type = failures[uses++];
        return kj::Exception(type, __FILE__, __LINE__, kj::str("the use failed"));
      }
      ++uses;
      if (neverAnswers) return kj::NEVER_DONE;
      return kj::READY_NOW;
    };
  }
  // Asks over its lane.
  Reconnection::Use calling() {
    return [](kj::Own<WorkspaceLane> lane) -> kj::Promise<void> {
      co_await lane->agent().processesRequest().send().ignoreResult();
    };
  }
  // Of which nothing is left.
  kj::Own<WorkspaceLane> lostLane() {
    auto lane = newLane();
    supervisor.breakLanes();
    settle();
    return lane;
  }
  kj::Promise<void> runAfterLoss() { return reconnection.run(lostLane(), use()); }
  void advanceBySeconds(int seconds) {
    for (int i = 0; i < seconds; ++i) advance(1 * kj::SECONDS);
  }
};

TEST_CASE("P41 work that loses its lane asks again over another until it is answered") {
  Work work;
  work.failures.add(kj::Exception::Type::DISCONNECTED);
  work.failures.add(kj::Exception::Type::OVERLOADED);
  auto running = work.runAfterLoss().eagerlyEvaluate(nullptr);
  work.settle();
  CHECK(work.uses == 1);
  work.advanceBySeconds(3);
  CHECK(work.uses == 3);
  CHECK(work.asked == 3);
  running.wait(work.io.waitScope);
}

TEST_CASE("S01 who loses each lane at once asks more and more seldom, until one stands") {
  Work work;
  work.reconnection.begin(work.use()).wait(work.io.waitScope);
  // So many more in a time in which each is lost as soon as it is there.
  auto losses = [&](kj::Duration time) {
    const auto before = work.asked;
    const auto end = work.timer.now() + time;
    auto running = work.runAfterLoss().eagerlyEvaluate(nullptr);
    while (work.timer.now() < end) {
      work.settle();
      if (running.poll(work.io.waitScope)) {
        if (work.asked - before > 100) break;
        running = work.runAfterLoss().eagerlyEvaluate(nullptr);
      } else {
        work.advance(100 * kj::MILLISECONDS);
      }
    }
    while (!running.poll(work.io.waitScope)) work.advance(100 * kj::MILLISECONDS);
    return work.asked - before;
  };
  CHECK(losses(60 * kj::SECONDS) < 20);
  const auto more = losses(10 * Reconnection::MOST_PAUSE);
  CHECK(more >= 9);
  CHECK(more <= 12);
  // One that has stood is had again at once.
  work.advance(Reconnection::STANDING);
  auto running = work.runAfterLoss().eagerlyEvaluate(nullptr);
  work.settle();
  CHECK(running.poll(work.io.waitScope));
}

TEST_CASE("another failure of the work ends its wait at once, and so does a reason that stays") {
  Work work;
  work.failures.add(kj::Exception::Type::FAILED);
  auto failing = work.reconnection.begin(work.use()).eagerlyEvaluate(nullptr);
  work.settle();
  CHECK(work.failureOf(failing) == "the use failed");
  work.none = NoLane::Kind::FINAL;
  auto refused = work.reconnection.begin(work.use()).eagerlyEvaluate(nullptr);
  work.settle();
  CHECK(work.failureOf(refused) == "no lane");
  CHECK(work.uses == 1);
}

TEST_CASE("P58 who finds a workspace paused waits without asking until it is told to ask again") {
  Work work;
  work.none = NoLane::Kind::PAUSED;
  auto running = work.runAfterLoss().eagerlyEvaluate(nullptr);
  work.settle();
  CHECK(work.asked == 1);
  CHECK(work.stalls.size() == 1);
  CHECK(work.stalls[0] == "it is paused");
  // Longer than its patience.
  for (int i = 0; i < 24; ++i) work.advance(1 * kj::HOURS);
  CHECK(work.asked == 1);
  CHECK_FALSE(running.poll(work.io.waitScope));
  SECTION("and is at once given a lane then") {
    work.none = nullptr;
    work.pauseOver->fulfill();
    work.settle();
    running.wait(work.io.waitScope);
    CHECK(work.asked == 2);
  }
  SECTION("and asks again, not at once, where it cannot be told") {
    work.pauseOver->reject(KJ_EXCEPTION(DISCONNECTED, "bothyd has ended"));
    work.settle();
    CHECK(work.asked == 1);
    work.none = nullptr;
    work.advance(1 * kj::SECONDS);
    running.wait(work.io.waitScope);
    CHECK(work.asked == 2);
  }
  CHECK(work.stalls.size() == 1);
}

TEST_CASE("P41 what passes is waited for, and in the end told as the source has it") {
  Work work;
  work.none = NoLane::Kind::PASSES;
  auto running = work.runAfterLoss().eagerlyEvaluate(nullptr);
  work.advanceBySeconds(5);
  CHECK_FALSE(running.poll(work.io.waitScope));
  work.none = nullptr;
  work.supervisor.refusal = rpc::Refusal::TOO_MANY_LANES;
  work.advanceBySeconds(5);
  CHECK_FALSE(running.poll(work.io.waitScope));
  work.supervisor.refusal = nullptr;
  work.advanceBySeconds(3);
  running.wait(work.io.waitScope);

  work.none = NoLane::Kind::PASSES;
  auto vain = work.runAfterLoss().eagerlyEvaluate(nullptr);
  work.advanceBySeconds(ClientTestWorld::PATIENCE / kj::SECONDS + 3);
  CHECK(work.failureOf(vain) == "no lane");
}

TEST_CASE("P30 a first lane that is long in coming is told of once, with the reason") {
  Work work;
  work.none = NoLane::Kind::PASSES;
  auto beginning = work.reconnection.begin(work.use()).eagerlyEvaluate(nullptr);
  work.advanceBySeconds(1);
  CHECK(work.delays.empty());
  work.advanceBySeconds(10);
  REQUIRE(work.delays.size() == 1);
  CHECK(work.delays[0] == "no lane");
  work.none = nullptr;
  work.advanceBySeconds(3);
  beginning.wait(work.io.waitScope);

  // Who lost a lane was told so.
  work.none = NoLane::Kind::PASSES;
  auto running = work.runAfterLoss().eagerlyEvaluate(nullptr);
  work.advanceBySeconds(10);
  CHECK(work.delays.size() == 1);
}

TEST_CASE("P41 who gives no lanes from the beginning is waited for a little, and told of") {
  Work work;
  work.none = NoLane::Kind::AWAY;
  auto running = work.reconnection.begin(work.use()).eagerlyEvaluate(nullptr);
  work.advanceBySeconds(Reconnection::AWAY_PATIENCE / kj::SECONDS - 1);
  CHECK_FALSE(running.poll(work.io.waitScope));
  REQUIRE(work.awaited.size() == 1);
  CHECK(work.awaited[0] == Reconnection::AWAY_PATIENCE);
  work.advanceBySeconds(4);
  CHECK(work.failureOf(running) == "no lane");
}

TEST_CASE("P41 who gave lanes and is gone is waited for as long as the work bears") {
  Work work;
  work.none = NoLane::Kind::AWAY;
  auto running = work.runAfterLoss().eagerlyEvaluate(nullptr);
  work.advanceBySeconds(ClientTestWorld::PATIENCE / kj::SECONDS - 1);
  CHECK_FALSE(running.poll(work.io.waitScope));
  work.advanceBySeconds(4);
  CHECK(work.failureOf(running) == "stayed away");
  CHECK(work.awaited.size() == 0);
}

TEST_CASE("P12 a use that is not answered is given up and tried again, and not for ever") {
  Work work;
  work.neverAnswers = true;
  auto running = work.runAfterLoss().eagerlyEvaluate(nullptr);
  work.advanceBySeconds(Reconnection::ATTEMPT_LIMIT / kj::SECONDS + 1);
  CHECK(work.uses == 2);
  work.advanceBySeconds(Reconnection::ATTEMPT_LIMIT / kj::SECONDS + 1);
  CHECK(work.failureOf(running) == "no answer");
}

TEST_CASE("P09 why a lane ended is told once, beside the way to another") {
  Work work;
  work.supervisor.laneEnd = rpc::LaneEnd::DEVICE_REPLACED;
  work.runAfterLoss().wait(work.io.waitScope);
  work.settle();
  REQUIRE(work.reasons.size() == 1);
  CHECK(work.reasons[0] == rpc::LaneEnd::DEVICE_REPLACED);

  // Also of one that broke before the work was answered, and not again for the next.
  work.supervisor.laneEnd = rpc::LaneEnd::AGENT_GONE;
  constexpr kj::uint BREAKING = 4;
  while (work.supervisor.cuts.size() < work.supervisor.lanes + BREAKING)
    work.supervisor.cuts.add(0);
  auto beginning = work.reconnection.begin(work.calling()).eagerlyEvaluate(nullptr);
  work.advanceBySeconds(5);
  beginning.wait(work.io.waitScope);
  REQUIRE(work.reasons.size() == 2);
  CHECK(work.reasons[1] == rpc::LaneEnd::AGENT_GONE);
}

TEST_CASE(
    "P09 a bothyd that does not say why a lane ended holds nothing up, and nothing for long") {
  Work work;
  // Time stands still.
  work.runAfterLoss().wait(work.io.waitScope);
  work.settle();
  CHECK(work.supervisor.reasonsAsked == 1);
  work.lanes.clear();
  work.settle();
  CHECK(work.supervisor.livesHeld == 1);
  work.advance(Reconnection::REASON_LIMIT);
  CHECK(work.supervisor.livesHeld == 0);
  CHECK(work.reasons.empty());
}

TEST_CASE("S26 a lane that was given up and has not ended is dropped at once, and not asked why") {
  Work work;
  work.supervisor.laneEnd = rpc::LaneEnd::AGENT_GONE;
  auto lane = work.newLane();
  work.settle();
  work.none = NoLane::Kind::PASSES;
  auto running = work.reconnection.run(kj::mv(lane), work.use()).eagerlyEvaluate(nullptr);
  work.settle();
  CHECK(work.supervisor.livesHeld == 0);
  CHECK(work.supervisor.reasonsAsked == 0);
}

TEST_CASE("P30 a machine that stands still is told of once, and waited for without an end") {
  Work work;
  work.none = NoLane::Kind::STALLED;
  auto running = work.runAfterLoss().eagerlyEvaluate(nullptr);
  work.advanceBySeconds(10 * ClientTestWorld::PATIENCE / kj::SECONDS);
  CHECK_FALSE(running.poll(work.io.waitScope));
  REQUIRE(work.stalls.size() == 1);
  CHECK(work.stalls[0] == "the disk is full");
  work.none = nullptr;
  work.advanceBySeconds(3);
  running.wait(work.io.waitScope);
}

}  // namespace
}  // namespace bothy
