// What becomes of a workspace that is paused: other operations, its machine's end, a bothyd that starts anew.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "workspace/test-paused-world.h"

namespace bothy {
namespace {

TEST_CASE("P58 a start of a paused workspace resumes it, and a resize is refused") {
  PausedWorld w;
  w.pause();
  CHECK(w.demo->resize(8192).wait(w.scope).is<Busy>());
  const auto pid = w.driver.startCount();
  CHECK(w.demo->start(nullptr).wait(w.scope).get<kj::Own<StartReport>>()->failure == nullptr);
  CHECK(w.demo->state() == WorkspaceState::RUNNING);
  CHECK(w.driver.startCount() == pid);
}

TEST_CASE("P58 what is stopped or has failed is neither paused nor resumed") {
  PausedWorld w;
  w.demo->stop(1000).wait(w.scope);
  CHECK(w.demo->pause().wait(w.scope).get<Busy>().state == WorkspaceState::STOPPED);
  CHECK(w.demo->resume(nullptr).wait(w.scope).get<Busy>().state == WorkspaceState::STOPPED);
  CHECK(w.demo->wake(nullptr).wait(w.scope).get<Busy>().state == WorkspaceState::STOPPED);
}

TEST_CASE("P45 P58 a stop of a paused workspace lets it go on and asks it to end") {
  PausedWorld w;
  w.pause();
  CHECK(w.demo->stop(30000).wait(w.scope).get<StopKind>() == StopKind::ORDERLY);
  CHECK(w.driver.resumes == 1);
  CHECK(w.powerOffGrace == 30000);
  CHECK(w.demo->state() == WorkspaceState::STOPPED);
  requireChain(w);
}

TEST_CASE("P45 P58 a paused workspace is stopped by force only when its grace is over") {
  PausedWorld w;
  w.pause();
  SECTION("its machine does not go on") {
    w.driver.changesToFail = 1000;
  }
  SECTION("libvirt does not answer") {
    w.driver.changesHang = true;
  }
  SECTION("its agent does not answer") {
    w.agentAnswers = false;
  }
  const auto begin = w.timer.now();
  auto stopping = w.demo->stop(20000);
  w.passUntil(stopping);
  CHECK(w.timer.now() - begin >= 20 * kj::SECONDS);
  CHECK(w.timer.now() - begin < 25 * kj::SECONDS);
  CHECK(stopping.wait(w.scope).get<StopKind>() == StopKind::FORCED);
  CHECK(w.driver.running().size() == 0);
}

TEST_CASE("P45 P58 a stop of what is being paused or resumed comes first") {
  PausedWorld w;
  SECTION("paused") {
    auto pausing = w.demo->pause();
    w.settleUntil(WorkspaceState::PAUSING);
    CHECK(w.demo->stop(30000).wait(w.scope).get<StopKind>() == StopKind::ORDERLY);
    CHECK(pausing.wait(w.scope).get<Superseded>().by == Wish::STOP);
  }
  SECTION("resumed") {
    w.pause();
    auto resuming = w.demo->resume(nullptr);
    w.settleUntil(WorkspaceState::RESUMING);
    CHECK(w.demo->stop(30000).wait(w.scope).get<StopKind>() == StopKind::ORDERLY);
    CHECK(resuming.wait(w.scope).get<Superseded>().by == Wish::STOP);
  }
  CHECK(w.demo->state() == WorkspaceState::STOPPED);
  requireChain(w);
}

TEST_CASE("P28 P58 a delete of what is paused, or on its way there or back, works at once") {
  PausedWorld w;
  kj::Promise<void> other = kj::READY_NOW;
  SECTION("paused") {
    w.pause();
  }
  SECTION("pausing") {
    other = w.demo->pause().ignoreResult();
    w.settleUntil(WorkspaceState::PAUSING);
  }
  SECTION("resuming") {
    w.pause();
    other = w.demo->resume(nullptr).ignoreResult();
    w.settleUntil(WorkspaceState::RESUMING);
  }
  CHECK(w.demo->erase().wait(w.scope).is<Workspace::Erased>());
  other.wait(w.scope);
  CHECK(w.driver.running().size() == 0);
  CHECK(w.driver.resumes <= 1);
}

TEST_CASE("P58 a machine that ends while it is paused has failed, with an event") {
  PausedWorld w;
  w.pause();
  w.driver.end(w.id, VmEnd::EXITED);
  w.settle();
  CHECK(w.demo->state() == WorkspaceState::FAILED);
  CHECK(w.stored() == WorkspaceState::FAILED);
  CHECK(w.lastCause() == Cause::VM_EXITED);
  w.passUntil(WorkspaceState::FAILED);
  CHECK(w.storedLeases() == 0);
  CHECK(w.demo->start(nullptr).wait(w.scope).get<kj::Own<StartReport>>()->failure == nullptr);
}

TEST_CASE("P58 a machine that ends while it is being paused or resumed has failed too") {
  PausedWorld w;
  w.driver.changesHang = true;
  kj::Promise<void> call = kj::READY_NOW;
  SECTION("paused") {
    call = w.demo->pause().ignoreResult();
    w.settleUntil(WorkspaceState::PAUSING);
  }
  SECTION("resumed") {
    w.driver.changesHang = false;
    w.pause();
    w.driver.changesHang = true;
    call = w.demo->resume(nullptr).ignoreResult();
    w.settleUntil(WorkspaceState::RESUMING);
  }
  w.settle();
  w.driver.end(w.id, VmEnd::EXITED);
  call.wait(w.scope);
  w.settle();
  CHECK(w.demo->state() == WorkspaceState::FAILED);
  CHECK(w.lastCause() == Cause::VM_EXITED);
  requireChain(w);
}

TEST_CASE("P58 a guest that reboots as it is paused does not run again, and one that runs does") {
  PausedWorld w;
  bool runsAgain = false;
  SECTION("as its lanes end") {
    w.driver.changesHang = true;
    auto pausing = w.demo->pause();
    w.settleUntil(WorkspaceState::PAUSING);
    w.driver.end(w.id, VmEnd::REBOOTED);
    CHECK(pausing.wait(w.scope).is<Workspace::NotPaused>());
  }
  SECTION("as its processors are stopped") {
    w.driver.changesHang = true;
    auto pausing = w.demo->pause();
    w.settle();
    w.driver.end(w.id, VmEnd::REBOOTED);
    CHECK(pausing.wait(w.scope).is<Workspace::NotPaused>());
  }
  SECTION("and that is known later") {
    w.pause();
    w.driver.end(w.id, VmEnd::REBOOTED);
  }
  SECTION("when it was resumed") {
    w.pause();
    w.resume();
    w.driver.end(w.id, VmEnd::REBOOTED);
    runsAgain = true;
  }
  SECTION("when its pause had come to nothing") {
    w.driver.changesToFail = 1;
    w.demo->pause().wait(w.scope);
    w.driver.end(w.id, VmEnd::REBOOTED);
    runsAgain = true;
  }
  w.driver.changesHang = false;
  w.settle();
  for (int i = 0; i < 60; i++) {
    w.advance(1 * kj::SECONDS);
    w.settle();
  }
  CHECK(w.demo->state() == (runsAgain ? WorkspaceState::RUNNING : WorkspaceState::STOPPED));
  CHECK(w.lastCause() == Cause::GUEST_REBOOTED);
  CHECK(w.stored() == w.demo->state());
  requireChain(w);
  if (runsAgain) return;
  CHECK(w.driver.running().size() == 0);
  CHECK(w.demo->start(nullptr).wait(w.scope).get<kj::Own<StartReport>>()->failure == nullptr);
}

TEST_CASE("P41 P58 a paused workspace stays paused over a restart of bothyd, and can be resumed") {
  PausedWorld w;
  w.pause();
  const auto since = w.demo->view().pausedNanos;
  w.clock.time += 1 * kj::HOURS;
  w.restartBothyd();
  CHECK(w.demo->state() == WorkspaceState::PAUSED);
  CHECK(w.demo->view().pausedNanos == since);
  CHECK(w.driver.isPaused(w.id));
  CHECK(w.driver.resumes == 0);
  // Nobody is dialled.
  const auto dials = w.served.size();
  w.advance(10 * kj::MINUTES);
  w.settle();
  CHECK(w.served.size() == dials);
  CHECK(w.resume().failure == nullptr);
  CHECK(w.lastDetail() == "it was paused for 3600.000 s; its clock was 181.200 s behind");
  bool wasAdopted = false;
  for (auto& event : w.store->events(0, 100)) {
    wasAdopted =
        wasAdopted || (event.cause == Cause::ADOPTED && event.after == WorkspaceState::PAUSED);
  }
  CHECK(wasAdopted);
}

TEST_CASE("P41 P58 a pause or resume that a bothyd left half-done is carried out by the next") {
  PausedWorld w;
  auto step = GENERATE("lanes"_kj, "freeze"_kj, "thaw"_kj, "greet"_kj);
  INFO(step.cStr());
  const bool isPause = step == "lanes" || step == "freeze";
  // Each step may have been done, or not.
  auto isDone = GENERATE(false, true);
  if (!isPause) w.pause();
  w.leave("demo", isPause ? OperationKind::PAUSE : OperationKind::RESUME, step);
  if (isDone) w.driver.leave(w.id, isPause);
  w.restartBothyd();
  w.passUntil(isPause ? WorkspaceState::PAUSED : WorkspaceState::RUNNING);
  CHECK(w.driver.isPaused(w.id) == isPause);
  CHECK(w.stored() == w.demo->state());
  if (isPause) {
    CHECK(w.resume().failure == nullptr);
  } else {
    CHECK(w.wakes.size() == 1);
  }
}

TEST_CASE("P41 P58 a half-done pause or resume whose machine is gone ends stopped") {
  PausedWorld w;
  auto kind = GENERATE(OperationKind::PAUSE, OperationKind::RESUME);
  if (kind == OperationKind::RESUME) w.pause();
  w.leave("demo", kind, kind == OperationKind::PAUSE ? "freeze"_kj : "thaw"_kj);
  w.driver.end(w.id, VmEnd::EXITED);
  w.restartBothyd();
  w.passUntil(WorkspaceState::STOPPED);
  CHECK(w.lastCause() == Cause::RECOVERED);
  CHECK(w.storedLeases() == 0);
}

TEST_CASE(
    "P41 P58 a paused workspace whose machine cannot be taken over is unreachable, and has ways "
    "out") {
  PausedWorld w;
  w.pause();
  w.driver.failAdoptions(KJ_EXCEPTION(FAILED, "no monitor"));
  w.restartBothyd();
  CHECK(w.demo->state() == WorkspaceState::PAUSED);
  CHECK(w.demo->unreachable() == "no monitor");
  KJ_IF_MAYBE (failure, w.resume().failure) {
    CHECK(failure->message == "no monitor");
  } else {
    FAIL("it has not failed");
  }
  CHECK(w.demo->state() == WorkspaceState::PAUSED);
  CHECK(w.demo->unreachable() == "no monitor");
  SECTION("it can be again") {
    w.driver.allowAdoptions();
    for (int i = 0; i < 120 && w.demo->unreachable().size() > 0; i++) {
      w.advance(1 * kj::SECONDS);
      w.settle();
    }
    CHECK(w.demo->unreachable() == "");
    CHECK(w.driver.isPaused(w.id));
    CHECK(w.resume().failure == nullptr);
  }
  SECTION("resumed when it can be") {
    w.driver.allowAdoptions();
    CHECK(w.resume().failure == nullptr);
    CHECK(w.demo->state() == WorkspaceState::RUNNING);
  }
  SECTION("stopped") {
    CHECK(w.demo->stop(1000).wait(w.scope).get<StopKind>() == StopKind::FORCED);
  }
  SECTION("deleted") {
    CHECK(w.demo->erase().wait(w.scope).is<Workspace::Erased>());
  }
}

TEST_CASE("P45 P58 a stop while a half-done pause or resume is taken over ends it in order") {
  PausedWorld w;
  auto kind = GENERATE(OperationKind::PAUSE, OperationKind::RESUME);
  if (kind == OperationKind::RESUME) w.pause();
  w.leave("demo", kind, kind == OperationKind::PAUSE ? "freeze"_kj : "thaw"_kj);
  w.driver.adoptionsHang = true;
  w.restartBothyd();
  w.settle();
  REQUIRE(isHalted(w.demo->state()));
  SECTION("it can be") {
    w.driver.adoptionsHang = false;
    CHECK(w.demo->stop(20000).wait(w.scope).get<StopKind>() == StopKind::ORDERLY);
    CHECK(w.powerOffGrace == 20000);
  }
  SECTION("it cannot be within the grace") {
    const auto begin = w.timer.now();
    auto stopping = w.demo->stop(20000);
    w.passUntil(stopping);
    CHECK(stopping.wait(w.scope).get<StopKind>() == StopKind::FORCED);
    CHECK(w.timer.now() - begin >= 20 * kj::SECONDS);
    CHECK(w.timer.now() - begin < 25 * kj::SECONDS);
  }
  CHECK(w.driver.running().size() == 0);
}

TEST_CASE("P41 P58 a half-done pause of what cannot be taken over is given up, and it runs") {
  PausedWorld w;
  w.leave("demo", OperationKind::PAUSE, "freeze");
  w.driver.failAdoptions(KJ_EXCEPTION(FAILED, "no monitor"));
  w.restartBothyd();
  w.passUntil(WorkspaceState::RUNNING);
  CHECK(w.demo->unreachable() == "no monitor");
  w.driver.allowAdoptions();
  for (int i = 0; i < 120 && w.demo->unreachable().size() > 0; i++) {
    w.advance(1 * kj::SECONDS);
    w.settle();
  }
  CHECK_FALSE(w.driver.isPaused(w.id));
  KJ_ASSERT_NONNULL(w.demo->machine())->control().wait(w.scope);
}

}  // namespace
}  // namespace bothy
