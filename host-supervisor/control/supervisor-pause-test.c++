// Workspaces that are paused, as clients see them.

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "control/supervisor-fixture.h"

namespace bothy {
namespace {

struct World: public Fixture {
  World() { create("demo").wait(scope); }

  rpc::WorkspaceState pause(kj::StringPtr name = "demo") {
    auto request = supervisor().pauseRequest();
    request.setName(name);
    auto response = request.send().wait(scope);
    auto outcome = response.getOutcome();
    REQUIRE(outcome.isPaused());
    CHECK(outcome.getPaused().getPausedNanos() > 0);
    CHECK(outcome.getPaused().getAgentVersion() == "1.2.3");
    return outcome.getPaused().getState();
  }
  auto resume(kj::StringPtr name) {
    auto request = supervisor().resumeRequest();
    request.setName(name);
    return request.send();
  }
  auto connectAndWake(kj::StringPtr name = "demo") {
    auto request = supervisor().connectRequest();
    request.setName(name);
    request.initWanted().setCommands();
    request.setWake(true);
    return request.send();
  }
  auto whenResumed(kj::StringPtr name = "demo") {
    auto request = supervisor().whenResumedRequest();
    request.setName(name);
    return request.send();
  }
};

TEST_CASE("P58 a workspace is paused and resumed by its name") {
  World w;
  CHECK(w.pause() == rpc::WorkspaceState::PAUSED);
  CHECK(w.pause() == rpc::WorkspaceState::PAUSED);
  auto resumed = w.resume("demo").wait(w.scope);
  REQUIRE(resumed.getOutcome().isResumed());
  CHECK(resumed.getOutcome().getResumed().getState() == rpc::WorkspaceState::RUNNING);
  CHECK(resumed.getOutcome().getResumed().getPausedNanos() == 0);
  CHECK(w.resume("demo").wait(w.scope).getOutcome().isResumed());
}

TEST_CASE("P44 P58 a workspace is hibernated by its name, and whoever may wakes it") {
  World w;
  auto hibernate = [&](kj::StringPtr name) {
    auto request = w.supervisor().hibernateRequest();
    request.setName(name);
    return request.send().wait(w.scope);
  };
  auto connected = w.connectAndWake().wait(w.scope);
  REQUIRE(connected.getOutcome().isConnected());
  auto ended = connected.getLane().whenEndedRequest().send();
  auto done = hibernate("demo");
  REQUIRE(done.getOutcome().isHibernated());
  auto info = done.getOutcome().getHibernated();
  CHECK(info.getState() == rpc::WorkspaceState::HIBERNATED);
  CHECK(info.getHibernatedNanos() > 0);
  CHECK(info.getSavedBytes() == 20 << 20);
  CHECK(ended.wait(w.scope).getReason() == rpc::LaneEnd::PAUSED);
  auto waiting = w.whenResumed();
  CHECK_FALSE(waiting.poll(w.scope));
  auto woken = w.connectAndWake().wait(w.scope);
  CHECK(woken.getOutcome().isConnected());
  CHECK(waiting.wait(w.scope).getState() == rpc::WorkspaceState::RUNNING);

  CHECK(hibernate("other").getOutcome().isAbsent());
  w.volumes.free = 0;
  auto refused = hibernate("demo");
  REQUIRE(refused.getOutcome().isNoCapacity());
  CHECK(refused.getOutcome().getNoCapacity().getAsked() > 0);
  w.volumes.free = 1ull << 40;
  w.find("demo")->stop(1000).wait(w.scope);
  CHECK(hibernate("demo").getOutcome().getNotRunning() == rpc::WorkspaceState::STOPPED);
}

TEST_CASE("P58 what cannot be paused or resumed is told with its state") {
  World w;
  auto request = w.supervisor().pauseRequest();
  request.setName("other");
  CHECK(request.send().wait(w.scope).getOutcome().isAbsent());
  CHECK(w.resume("other").wait(w.scope).getOutcome().isAbsent());
  w.find("demo")->stop(1000).wait(w.scope);
  request = w.supervisor().pauseRequest();
  request.setName("demo");
  auto paused = request.send().wait(w.scope);
  REQUIRE(paused.getOutcome().isNotRunning());
  CHECK(paused.getOutcome().getNotRunning() == rpc::WorkspaceState::STOPPED);
  auto resumed = w.resume("demo").wait(w.scope);
  REQUIRE(resumed.getOutcome().isNotPaused());
  CHECK(resumed.getOutcome().getNotPaused() == rpc::WorkspaceState::STOPPED);
  w.driver.changesToFail = 1;
  w.find("demo")->start(nullptr).wait(w.scope);
  request = w.supervisor().pauseRequest();
  request.setName("demo");
  auto failed = request.send().wait(w.scope);
  REQUIRE(failed.getOutcome().isFailed());
  CHECK(failed.getOutcome().getFailed() == "the machine does not obey");
}

TEST_CASE(
    "P09 P58 lanes of a workspace that is paused end with that reason, before it stands still") {
  World w;
  auto connected = w.connect("demo").wait(w.scope);
  auto life = connected.getLane();
  auto ended = life.whenEndedRequest().send();
  w.driver.changesHang = true;
  auto request = w.supervisor().pauseRequest();
  request.setName("demo");
  auto pausing = request.send();
  auto why = ended.wait(w.scope).getReason();
  CHECK(why == rpc::LaneEnd::PAUSED);
  CHECK_FALSE(w.driver.isPaused(w.find("demo")->row().id));
  // Nobody gets another meanwhile.
  auto outcome = w.connect("demo").wait(w.scope);
  REQUIRE(outcome.getOutcome().isNotRunning());
  CHECK(outcome.getOutcome().getNotRunning() == rpc::WorkspaceState::PAUSING);
}

TEST_CASE("P58 who connects without wake is told that it is paused, and with it gets a lane") {
  World w;
  w.pause();
  auto asleep = w.connect("demo").wait(w.scope);
  REQUIRE(asleep.getOutcome().isNotRunning());
  CHECK(asleep.getOutcome().getNotRunning() == rpc::WorkspaceState::PAUSED);
  CHECK_FALSE(asleep.hasLane());
  CHECK(w.driver.resumes == 0);

  auto first = w.connectAndWake(), second = w.connectAndWake();
  for (auto call : {&first, &second}) {
    auto connected = call->wait(w.scope);
    REQUIRE(connected.getOutcome().isConnected());
    CHECK(connected.getOutcome().getConnected().getState() == rpc::WorkspaceState::RUNNING);
    CHECK(connected.hasLane());
  }
  CHECK(w.driver.resumes == 1);
  // One that runs is as without it.
  CHECK(w.connectAndWake().wait(w.scope).getOutcome().isConnected());
  CHECK(w.driver.resumes == 1);
}

TEST_CASE("P58 what cannot be had wakes nobody, and what cannot be woken is told") {
  World w;
  w.pause();
  auto request = w.supervisor().connectRequest();
  request.setName("demo");
  request.setWake(true);
  request.initWanted().setNone();
  CHECK(request.send().wait(w.scope).getOutcome().isUnsupported());
  CHECK(w.driver.resumes == 0);
  w.driver.changesToFail = 1;
  auto failed = w.connectAndWake().wait(w.scope);
  REQUIRE(failed.getOutcome().isUnreachable());
  CHECK(failed.getOutcome().getUnreachable() ==
        "it could not be resumed: the machine does not obey");
  // A stopped one is not started.
  w.find("demo")->stop(1000).wait(w.scope);
  auto stopped = w.connectAndWake().wait(w.scope);
  REQUIRE(stopped.getOutcome().isNotRunning());
  CHECK(stopped.getOutcome().getNotRunning() == rpc::WorkspaceState::STOPPED);
}

TEST_CASE("P58 who waits for the end of a pause is told the state then, and counts as a watch") {
  World w;
  CHECK(w.whenResumed().wait(w.scope).getState() == rpc::WorkspaceState::RUNNING);
  CHECK(w.whenResumed("other").wait(w.scope).getState() == rpc::WorkspaceState::DELETING);
  w.pause();
  auto waiting = w.whenResumed();
  w.settle();
  CHECK_FALSE(waiting.poll(w.scope));
  w.resume("demo").wait(w.scope);
  CHECK(waiting.wait(w.scope).getState() == rpc::WorkspaceState::RUNNING);

  w.pause();
  kj::Vector<capnp::RemotePromise<rpc::Supervisor::WhenResumedResults>> calls;
  for (int i = 0; i < 64; i++) calls.add(w.whenResumed());
  w.settle();
  auto tooMany = kj::runCatchingExceptions([&]() { w.whenResumed().wait(w.scope); });
  CHECK(KJ_ASSERT_NONNULL(tooMany).getType() == kj::Exception::Type::OVERLOADED);
  // Who gives up frees the place.
  calls.clear();
  w.settle();
  auto another = w.whenResumed();
  w.settle();
  CHECK_FALSE(another.poll(w.scope));
}

TEST_CASE("P58 a client lets a workspace expire, and who wakes it has it anew") {
  Fixture f;
  f.create("demo").wait(f.scope);
  auto expire = [&](kj::StringPtr name) {
    auto request = f.supervisor().expireRequest();
    request.setName(name);
    return request.send().wait(f.scope);
  };
  CHECK(expire("other").getOutcome().isAbsent());
  CHECK(expire("demo").getOutcome().getBusy() == rpc::WorkspaceState::RUNNING);
  auto stop = f.supervisor().stopRequest();
  stop.setName("demo");
  stop.send().wait(f.scope);
  auto expired = expire("demo");
  REQUIRE(expired.getOutcome().isExpired());
  CHECK(expired.getOutcome().getExpired().getState() == rpc::WorkspaceState::EXPIRED);
  CHECK(expired.getOutcome().getExpired().getSpec().getDiskMib() == 4096);
  CHECK(f.connect("demo").wait(f.scope).getOutcome().getNotRunning() ==
        rpc::WorkspaceState::EXPIRED);
  auto connect = f.supervisor().connectRequest();
  connect.setName("demo");
  connect.initWanted().setCommands();
  connect.setWake(true);
  CHECK(connect.send().wait(f.scope).getOutcome().isConnected());
}

}  // namespace
}  // namespace bothy
