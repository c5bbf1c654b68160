// Pauses and resumes, and what becomes of them.

#include <string.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "workspace/test-paused-world.h"

namespace bothy {
namespace {

TEST_CASE("P58 a workspace that is paused keeps its machine, which stands still, and goes on") {
  PausedWorld w;
  w.clock.time += 3 * kj::MINUTES;
  w.pause();
  CHECK(w.demo->state() == WorkspaceState::PAUSED);
  CHECK(w.stored() == WorkspaceState::PAUSED);
  CHECK(w.driver.isPaused(w.id));
  CHECK(w.demo->machine() == nullptr);
  auto view = w.demo->view();
  CHECK(view.pausedNanos == nanosOf(w.clock.time));
  CHECK(view.startedNanos == view.pausedNanos - 180'000'000'000);
  CHECK(view.agentVersion == "1.2.3");

  w.clock.time += 90 * kj::SECONDS;
  CHECK(w.resume().failure == nullptr);
  CHECK(w.demo->state() == WorkspaceState::RUNNING);
  CHECK(w.stored() == WorkspaceState::RUNNING);
  CHECK_FALSE(w.driver.isPaused(w.id));
  CHECK(w.demo->view().pausedNanos == 0);
  // Its clock is set before anybody gets a lane.
  REQUIRE(w.wakes.size() == 1);
  CHECK(w.wakes[0] == nanosOf(w.clock.time));
  CHECK(w.lastDetail() == "it was paused for 90.000 s; its clock was 181.200 s behind");
  requireChain(w);
  // It is reached as before.
  KJ_ASSERT_NONNULL(w.demo->machine())->control().wait(w.scope);
}

TEST_CASE("P58 what resumed says what is known of the guest's clock") {
  PausedWorld w;
  w.pause();
  SECTION("it was ahead") {
    w.clockBehind = -20 * kj::MILLISECONDS;
    w.resume();
    CHECK(w.lastDetail() == "it was paused for 0.000 s; its clock was 0.020 s ahead");
  }
  SECTION("its agent knows nothing of it") {
    w.clockBehind = nullptr;
    w.resume();
    CHECK(w.lastDetail() ==
          "it was paused for 0.000 s; its clock was not set, for which its agent is too old");
  }
  SECTION("its agent does not answer, and it runs all the same") {
    w.agentAnswers = false;
    auto resuming = w.demo->resume(nullptr);
    w.passUntil(resuming);
    CHECK(resuming.wait(w.scope).get<kj::Own<StartReport>>()->failure == nullptr);
    CHECK(w.demo->state() == WorkspaceState::RUNNING);
    CHECK(strstr(w.lastDetail().cStr(), "its clock was not set: its agent does not answer") !=
          nullptr);
  }
  SECTION("the host's clock was set back") {
    w.clock.time -= 1 * kj::DAYS;
    w.resume();
    CHECK(w.lastDetail() == "it was paused; its clock was 181.200 s behind");
  }
}

TEST_CASE("P58 all who ask at once are answered by one pause, and by one resume") {
  PausedWorld w;
  auto first = w.demo->pause();
  auto second = w.demo->pause();
  CHECK(first.wait(w.scope).is<Workspace::Paused>());
  CHECK(second.wait(w.scope).is<Workspace::Paused>());
  CHECK(w.demo->pause().wait(w.scope).is<Workspace::Paused>());
  CHECK(w.driver.pauses == 1);

  auto one = w.demo->wake(nullptr);
  auto other = w.demo->resume(nullptr);
  auto third = w.demo->start(nullptr);
  for (auto calls : {&one, &other, &third}) {
    CHECK(calls->wait(w.scope).get<kj::Own<StartReport>>()->failure == nullptr);
  }
  CHECK(w.driver.resumes == 1);
  CHECK(w.wakes.size() == 1);
  CHECK(w.demo->resume(nullptr).wait(w.scope).is<kj::Own<StartReport>>());
  CHECK(w.driver.resumes == 1);
}

TEST_CASE("P58 who wakes a workspace that is just being paused has it run in the end") {
  PausedWorld w;
  auto pausing = w.demo->pause();
  w.settleUntil(WorkspaceState::PAUSING);
  auto waking = w.demo->wake(nullptr);
  CHECK(w.demo->start(nullptr).wait(w.scope).is<Busy>());
  CHECK(waking.wait(w.scope).get<kj::Own<StartReport>>()->failure == nullptr);
  CHECK(pausing.wait(w.scope).is<Workspace::Paused>());
  CHECK(w.demo->state() == WorkspaceState::RUNNING);
}

TEST_CASE("P58 a pause that fails leaves the workspace running and says why") {
  PausedWorld w;
  w.driver.changesToFail = 1;
  auto outcome = w.demo->pause().wait(w.scope);
  REQUIRE(outcome.is<Workspace::NotPaused>());
  CHECK(outcome.get<Workspace::NotPaused>().why == "the machine does not obey");
  CHECK(w.demo->state() == WorkspaceState::RUNNING);
  CHECK(w.lastDetail() == "it could not be paused: the machine does not obey");
  KJ_ASSERT_NONNULL(w.demo->machine())->control().wait(w.scope);
  requireChain(w);
  // The next one may do better.
  w.pause();
}

TEST_CASE("P58 a resume that fails leaves the workspace paused and says why") {
  PausedWorld w;
  w.pause();
  w.driver.changesToFail = 1;
  KJ_IF_MAYBE (failure, w.resume().failure) {
    CHECK(failure->message == "the machine does not obey");
  } else {
    FAIL("it has not failed");
  }
  CHECK(w.demo->state() == WorkspaceState::PAUSED);
  CHECK(w.driver.isPaused(w.id));
  CHECK(w.lastDetail() == "it could not be resumed: the machine does not obey");
  CHECK(w.demo->view().pausedNanos == nanosOf(w.clock.time));
  requireChain(w);
  CHECK(w.resume().failure == nullptr);
}

TEST_CASE(
    "P58 libvirt that does not answer ends the call of a pause, and a stop or delete the rest") {
  PausedWorld w;
  w.driver.changesHang = true;
  auto pausing = w.demo->pause();
  w.passUntil(pausing);
  CHECK(pausing.wait(w.scope).is<Underway>());
  CHECK(w.demo->state() == WorkspaceState::PAUSING);
  SECTION("delete") {
    CHECK(w.demo->erase().wait(w.scope).is<Workspace::Erased>());
    CHECK(w.driver.running().size() == 0);
  }
  SECTION("stop") {
    auto stopping = w.demo->stop(1000);
    w.passUntil(stopping);
    CHECK(stopping.wait(w.scope).get<StopKind>() == StopKind::FORCED);
    CHECK(w.demo->state() == WorkspaceState::STOPPED);
  }
}

TEST_CASE(
    "P58 who waits for a paused workspace is told when it runs, stops or goes, and wakes nobody") {
  PausedWorld w;
  w.demo->whenResumed().wait(w.scope);
  w.pause();
  auto waiting = w.demo->whenResumed();
  w.settle();
  CHECK_FALSE(waiting.poll(w.scope));
  CHECK(w.driver.resumes == 0);
  SECTION("it runs") {
    w.resume();
  }
  SECTION("it stops") {
    w.demo->stop(1000).wait(w.scope);
  }
  SECTION("it is deleted") {
    w.demo->erase().wait(w.scope);
  }
  waiting.wait(w.scope);
}

}  // namespace
}  // namespace bothy
