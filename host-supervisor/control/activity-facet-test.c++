#include "control/activity-facet.h"

#include <catch2/catch_test_macros.hpp>

#include "control/session-gate-fixture.h"

namespace bothy {
namespace {

using Kind = rpc::AwakeReason::Kind;

struct World: public Gate {
  rpc::WorkspaceActivity::Client use() {
    return supervisor().activityRequest().send().getActivity();
  }
  auto why(kj::StringPtr name = "demo") {
    auto request = use().whyRequest();
    request.setWorkspace(name);
    return request.send().wait(scope);
  }
  auto keepAwake(uint64_t millis, kj::StringPtr name = "demo") {
    auto request = use().keepAwakeRequest();
    request.setWorkspace(name);
    request.setForMillis(millis);
    request.setReason("build");
    return request.send().wait(scope);
  }
  // Of one that is found.
  kj::Vector<Kind> kinds() {
    kj::Vector<Kind> found;
    auto answer = why();
    REQUIRE(answer.getOutcome().isFound());
    for (auto reason : answer.getOutcome().getFound().getReasons()) found.add(reason.getKind());
    return found;
  }
};

TEST_CASE(
    "P26 a lane keeps its workspace awake as long as it is open, and its session's grace on") {
  World w;
  CHECK(w.kinds().size() == 0);
  auto answer = w.connect("demo").wait(w.scope);
  {
    auto told = w.why();
    auto reasons = told.getOutcome().getFound().getReasons();
    REQUIRE(reasons.size() == 1);
    CHECK(reasons[0].getKind() == Kind::SESSION);
    CHECK((reasons[0].getWho().size() > 0 && reasons[0].getCounts()));
    CHECK(told.getOutcome().getFound().getNext().isNone());
    CHECK(told.getOutcome().getFound().getIdleNanos() == 0);
  }
  {
    auto dropped = kj::mv(answer);
  }
  // The connection hears of it.
  for (int i = 0; i < 1000 && w.kinds()[0] == Kind::SESSION; i++) w.settle();
  CHECK(w.kinds()[0] == Kind::GRACE);
  CHECK(w.why().getOutcome().getFound().getNext().isStep());
}

TEST_CASE("P26 a session's lane is told with its session and actor") {
  World w;
  auto client = w.come();
  auto session = w.redeem(client, w.token(execAlone));
  auto lane = w.commands(session).wait(w.scope);
  REQUIRE(lane.getOutcome().isConnected());
  auto told = w.why();
  auto reasons = told.getOutcome().getFound().getReasons();
  REQUIRE(reasons.size() == 1);
  CHECK(kj::str(reasons[0].getWho()).startsWith("session "));
  CHECK(reasons[0].getDetail() == "actor alice");
}

TEST_CASE("P26 who may only look, or see how the machine is, keeps nobody awake") {
  World w;
  auto request = w.supervisor().connectRequest();
  request.setName("demo");
  SECTION("views terminals") {
    request.initWanted().setViewTerminals();
  }
  SECTION("asks for the machine") {
    request.initWanted().setMachine();
  }
  auto answer = request.send().wait(w.scope);
  CHECK(answer.getOutcome().isConnected());
  CHECK(w.kinds().size() == 0);
}

TEST_CASE("P26 an operator takes wake locks, sees and releases them") {
  World w;
  auto answer = w.keepAwake(7'200'000);
  auto taken = answer.getOutcome().getTaken();
  CHECK((taken.getDetail() == "build" && taken.getWho() == "uid 0"));
  CHECK(taken.getUntilNanos() - taken.getSinceNanos() == 7'200'000'000'000);
  CHECK(w.kinds()[0] == Kind::WAKE_LOCK);
  auto release = [&](kj::StringPtr id) {
    auto request = w.use().releaseRequest();
    request.setWorkspace("demo");
    request.setId(id);
    return request.send().wait(w.scope).getReleased();
  };
  CHECK_FALSE(release("other"));
  CHECK(release(taken.getId()));
  CHECK_FALSE(release(taken.getId()));
  CHECK(w.kinds().size() == 0);
  CHECK(w.keepAwake(0).getOutcome().getInvalid() ==
        "the time is 0 ms: it must be 1000 to 2592000000");
  CHECK(w.keepAwake(5000, "other").getOutcome().isAbsent());
  CHECK(w.why("other").getOutcome().isAbsent());
  for (uint32_t i = 0; i < rpc::MAX_WAKE_LOCKS; i++) {
    CHECK(w.keepAwake(5000).getOutcome().isTaken());
  }
  CHECK(w.keepAwake(5000).getOutcome().isTooMany());
}

TEST_CASE("P26 an operator changes what holds for one workspace") {
  World w;
  auto change = [&](kj::StringPtr name, rpc::IdleFigure figure, kj::Maybe<uint32_t> value) {
    auto request = w.use().changePolicyRequest();
    request.setWorkspace(name);
    auto wish = request.initChanges(1)[0];
    wish.setFigure(figure);
    KJ_IF_MAYBE (v, value) wish.setValue(*v);
    return request.send().wait(w.scope);
  };
  const auto before = w.store->events(0, 100).back().number;
  auto answer = change("demo", rpc::IdleFigure::PAUSE_AFTER, uint32_t{7200});
  auto told = answer.getOutcome().getChanged();
  CHECK((told.getPolicy().getPauseAfter() == 7200 && told.getPolicy().getWarnBefore() == 120));
  REQUIRE(told.getOwn().size() == 1);
  CHECK(told.getOwn()[0] == rpc::IdleFigure::PAUSE_AFTER);
  CHECK(change("demo", rpc::IdleFigure::COUNT_INPUT, uint32_t{2}).getOutcome().getInvalid() ==
        "count-input is 2: it must be 0 or 1");
  CHECK(change("other", rpc::IdleFigure::COUNT_INPUT, uint32_t{1}).getOutcome().isAbsent());
  CHECK_THROWS(change("demo", static_cast<rpc::IdleFigure>(99), uint32_t{1}));
  auto back = change("demo", rpc::IdleFigure::PAUSE_AFTER, nullptr);
  CHECK(back.getOutcome().getChanged().getPolicy().getPauseAfter() == 1800);
  CHECK(back.getOutcome().getChanged().getOwn().size() == 0);
  // What has changed, and nothing else, is told with who asked for it.
  auto events = w.store->events(before, 100);
  REQUIRE(events.size() == 2);
  CHECK(events[0].detail == "its own idle figures: pause-after=7200");
  CHECK(events[1].detail == "it has no idle figures of its own any more");
  for (auto& event : events) {
    CHECK((event.isNotice() && event.cause == Cause::REQUEST && event.actor == "uid 0"));
  }
}

TEST_CASE("tiers are told with what becomes of workspaces that nobody uses") {
  World w;
  auto answer = w.supervisor().tiersRequest().send().wait(w.scope);
  CHECK(answer.getTiers()[0].getIdle().getPauseAfter() == 1800);
  CHECK(answer.getTiers()[0].getIdle().getCountSessions());
}

}  // namespace
}  // namespace bothy
