// Operations over restarts.

#include <string.h>

#include <catch2/catch_test_macros.hpp>

#include "store/sqlite-database.h"
#include "workspace/test-world.h"

namespace bothy {
namespace {

// One world for each commit of an operation: bothyd is killed when the store has taken so many changes of it.  `end` is what must be
// in the end.  Returns how many commits the operation has.
template <typename Prepare, typename Operation, typename End>
uint32_t killAtEachCommit(Prepare&& prepare, Operation&& operation, End&& end) {
  for (uint32_t taken = 0;; taken++) {
    TestWorld w;
    prepare(w);
    w.refusing.writesToTake = taken;
    w.refusing.writesToRefuse = 1000;
    {
      auto dropped = operation(w);
      w.settle();
    }
    const bool isOver = w.refusing.writesToRefuse == 1000;
    w.refusing.writesToTake = w.refusing.writesToRefuse = 0;
    INFO("killed behind change " << taken << " of it");
    if (taken > 0) {
      w.restart();
      w.settle();
      end(w);
      CHECK(w.store->state().operations.size() == 0);
      // Who has a machine has a lease, and nobody else.
      CHECK(w.storedLeases() == w.driver.running().size());
      CHECK(w.manager->leasesInUse() == w.storedLeases());
    }
    if (isOver) return taken;
  }
}

void make(TestWorld& w, bool start) {
  w.manager->create(w.request("demo", start), nullptr).wait(w.scope);
}

TEST_CASE("P29 R20 an accepted creation goes on after a restart until it has succeeded") {
  auto steps = killAtEachCommit(
      [](TestWorld&) {},
      [](TestWorld& w) { return w.manager->create(w.request("demo", true, "r"), nullptr); },
      [](TestWorld& w) {
        CHECK(w.find("demo")->state() == WorkspaceState::RUNNING);
        CHECK(w.volumes.count() == 1);
        CHECK(w.keys.count() == 1);
        CHECK(w.driver.running().size() == 1);
        auto again = w.manager->create(w.request("demo", true, "r"), nullptr).wait(w.scope);
        CHECK(again.is<WorkspaceManager::Created>());
        auto request = KJ_ASSERT_NONNULL(w.refusing.request("r").wait(w.scope));
        CHECK(request.outcome == RequestOutcome::SUCCEEDED);
      });
  CHECK(steps == 10);
}

TEST_CASE("P29 R20 an accepted start goes on after a restart until it has succeeded") {
  auto steps = killAtEachCommit([](TestWorld& w) { make(w, false); },
                                [](TestWorld& w) { return w.find("demo")->start(nullptr); },
                                [](TestWorld& w) {
                                  CHECK(w.find("demo")->state() == WorkspaceState::RUNNING);
                                  CHECK(w.driver.running().size() == 1);
                                });
  CHECK(steps == 7);
}

TEST_CASE("P29 R20 an accepted stop goes on after a restart until the machine is gone") {
  auto steps = killAtEachCommit([](TestWorld& w) { make(w, true); },
                                [](TestWorld& w) { return w.find("demo")->stop(1000); },
                                [](TestWorld& w) {
                                  CHECK(w.find("demo")->state() == WorkspaceState::STOPPED);
                                  CHECK(w.driver.running().size() == 0);
                                });
  CHECK(steps == 3);
}

TEST_CASE("P29 R20 an accepted resize goes on after a restart until the disk is as large") {
  auto steps = killAtEachCommit([](TestWorld& w) { make(w, false); },
                                [](TestWorld& w) { return w.find("demo")->resize(8192); },
                                [](TestWorld& w) {
                                  CHECK(w.find("demo")->state() == WorkspaceState::STOPPED);
                                  CHECK(w.find("demo")->row().diskMib == 8192);
                                });
  CHECK(steps == 3);
}

TEST_CASE("P28 P29 R20 an accepted delete goes on after a restart until nothing is left") {
  auto steps = killAtEachCommit([](TestWorld& w) { make(w, true); },
                                [](TestWorld& w) { return w.find("demo")->erase(); },
                                [](TestWorld& w) {
                                  CHECK(w.manager->find("demo") == nullptr);
                                  CHECK(w.volumes.count() == 0);
                                  CHECK(w.keys.count() == 0);
                                  CHECK(w.driver.running().size() == 0);
                                });
  CHECK(steps == 6);
}

TEST_CASE("P57 a creation that was killed is joined by the same request, and by no other") {
  TestWorld w;
  w.agentAnswers = false;
  {
    auto dropped = w.manager->create(w.request("demo", true, "r"), nullptr);
    w.settle();
  }
  w.restart();
  w.settle();
  auto again = w.manager->create(w.request("demo", true, "r"), nullptr);
  CHECK_FALSE(again.poll(w.scope));
  CHECK(w.manager->create(w.request("demo"), nullptr).wait(w.scope).is<WorkspaceManager::Exists>());
  SECTION("it succeeds") {
    w.agentAnswers = true;
    w.advance(1 * kj::SECONDS);
    CHECK(again.wait(w.scope).is<WorkspaceManager::Created>());
  }
  SECTION("it fails") {
    w.driver.end(w.driver.running()[0], VmEnd::CRASHED);
    CHECK(again.wait(w.scope).is<StartReport::Failure>());
    auto later = w.manager->create(w.request("demo", true, "r"), nullptr).wait(w.scope);
    CHECK(later.is<StartReport::Failure>());
  }
  SECTION("it is stopped") {
    w.find("demo")->stop(0).wait(w.scope);
    CHECK(again.wait(w.scope).is<WorkspaceManager::Stopped>());
    auto later = w.manager->create(w.request("demo", true, "r"), nullptr).wait(w.scope);
    CHECK(later.is<WorkspaceManager::Stopped>());
  }
}

// A start of `demo` that an earlier bothyd began so long before its deadline.
void beginLongAgo(TestWorld& w, kj::Duration left) {
  {
    auto dropped = w.find("demo")->start(nullptr);
    w.settle();
  }
  auto operation = kj::mv(w.store->state().operations[0]);
  CHECK(operation.deadlineNanos ==
        (w.clock.now() + Deadlines().start - kj::UNIX_EPOCH) / kj::NANOSECONDS);
  operation.deadlineNanos -= (Deadlines().start - left) / kj::NANOSECONDS;
  w.manager = nullptr;
  w.store->commit(kj::mv(Change().update(kj::mv(operation))));
}

TEST_CASE("P29 a start has failed when it is not over by its deadline, over restarts") {
  TestWorld w;
  make(w, false);
  w.driver.holdStarts();
  beginLongAgo(w, 40 * kj::SECONDS);
  w.store->commit(kj::mv(Change().update([&]() {
    auto operation = kj::mv(w.store->state().operations[0]);
    operation.step = kj::str("check");
    return operation;
  }())));
  w.restart();
  w.settle();
  w.advance(39 * kj::SECONDS);
  w.settle();
  CHECK(w.find("demo")->state() == WorkspaceState::STARTING);
  w.advance(1 * kj::SECONDS);
  w.settle();
  CHECK(w.find("demo")->state() == WorkspaceState::FAILED);
  CHECK(w.find("demo")->row().failure == "it did not end by its deadline");
  w.driver.releaseStarts();
}

TEST_CASE("P41 a machine that came up while no bothyd ran is not ended for its start's deadline") {
  TestWorld w;
  make(w, false);
  w.agentAnswers = false;
  beginLongAgo(w, -1 * kj::HOURS);
  w.restart();
  w.settle();
  CHECK(w.find("demo")->state() == WorkspaceState::STARTING);
  w.agentAnswers = true;
  w.advance(2 * kj::SECONDS);
  w.settle();
  CHECK(w.find("demo")->state() == WorkspaceState::RUNNING);
  CHECK(w.driver.startCount() == 1);
}

TEST_CASE("P28 a delete goes on though this bothyd does not know the step it is at") {
  TestWorld w;
  make(w, true);
  w.leave("demo", OperationKind::DELETE, "burn");
  w.restart();
  w.settle();
  CHECK(w.manager->find("demo") == nullptr);
  CHECK(w.volumes.count() == 0);
}

TEST_CASE("P28 a stop of an older bothyd, which did not store its grace, goes on") {
  TestWorld w;
  make(w, true);
  w.leave("demo", OperationKind::STOP, "ask", "");
  w.restart();
  w.settle();
  CHECK(w.find("demo")->state() == WorkspaceState::STOPPED);
  CHECK(w.driver.running().size() == 0);
}

TEST_CASE("P29 P45 a stop that a restart interrupts asks with what is left of its grace") {
  TestWorld w;
  make(w, true);
  w.powersOff = false;
  constexpr uint32_t GRACE_MILLIS = 30000;
  {
    auto dropped = w.find("demo")->stop(GRACE_MILLIS);
    w.settle();
  }
  CHECK(w.powerOffGrace == GRACE_MILLIS);
  w.powerOffGrace = 1;
  auto operation = kj::mv(w.store->state().operations[0]);
  uint32_t left = 0;
  auto begunBefore = [&](kj::Duration time) { operation.deadlineNanos -= time / kj::NANOSECONDS; };
  SECTION("some") {
    begunBefore(20 * kj::SECONDS);
    left = 10000;
  }
  SECTION("nothing") {
    begunBefore(1 * kj::HOURS);
  }
  SECTION("all, where the clock was set back") {
    begunBefore(-1 * kj::HOURS);
    left = GRACE_MILLIS;
  }
  w.manager = nullptr;
  w.store->commit(kj::mv(Change().removeOperation(operation.id).add(operation.clone())));
  w.restart();
  w.settle();
  CHECK(w.powerOffGrace == left);
  CHECK(w.find("demo")->state() == WorkspaceState::STOPPING);
  w.advance(left * kj::MILLISECONDS + Deadlines().powerOffMargin);
  w.settle();
  CHECK(w.find("demo")->state() == WorkspaceState::STOPPED);
}

TEST_CASE("E02 a key that could not be destroyed is tried again before what comes after it") {
  TestWorld w;
  make(w, true);
  w.keys.failuresToDestroy = 1;
  w.driver.failRemovals(1000);
  auto erasing = w.find("demo")->erase();
  w.settle();
  CHECK(w.keys.count() == 0);
  CHECK(w.driver.running().size() == 1);
  w.driver.failRemovals(0);
  w.advance(60 * kj::SECONDS);
  erasing.wait(w.scope);
}

TEST_CASE("P45 a stop that comes while a start is resumed says that there was a machine") {
  TestWorld w;
  w.agentAnswers = false;
  {
    auto dropped = w.manager->create(w.request("demo"), nullptr);
    w.settle();
  }
  w.driver.failAdoptions(KJ_EXCEPTION(OVERLOADED, "it does not talk"));
  w.restart();
  auto outcome = w.find("demo")->stop(0).wait(w.scope);
  CHECK(outcome.get<StopKind>() == StopKind::FORCED);
}

TEST_CASE("S16 an operation that this bothyd does not know is left as it is") {
  TestWorld w;
  make(w, false);
  SqliteDatabase database(kj::str(w.directory, "/state.db"));
  SECTION("a kind") {
    w.leave("demo", OperationKind::START, "clear");
    database.run("UPDATE operations SET kind='hibernate'");
  }
  SECTION("a step") {
    w.leave("demo", OperationKind::START, "fly");
  }
  SECTION("parameters") {
    w.leave("demo", OperationKind::RESIZE, "grow", "much");
  }
  w.restart();
  w.settle();
  auto workspace = w.find("demo");
  CHECK(workspace->state() == WorkspaceState::FAILED);
  CHECK(strstr(workspace->row().failure.cStr(), "its operation cannot be resumed") != nullptr);
  CHECK(w.store->state().operations.size() == 1);
  auto started = workspace->start(nullptr).wait(w.scope);
  CHECK(started.get<kj::Own<StartReport>>()->failure != nullptr);
  workspace->erase().wait(w.scope);
  CHECK(w.manager->find("demo") == nullptr);
}

}  // namespace
}  // namespace bothy
