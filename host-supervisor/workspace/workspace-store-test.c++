// A store that takes its time.

#include <catch2/catch_test_macros.hpp>

#include "workspace/test-world.h"

namespace bothy {
namespace {

TEST_CASE("P59 what is asked for while a change is being stored waits for it, and sees its state") {
  TestWorld w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  auto workspace = w.find("demo");
  w.refusing.holdWrites();
  auto stopping = workspace->stop(0);
  auto again = workspace->stop(0);
  auto starting = workspace->start(nullptr);
  w.settle();
  CHECK(w.refusing.heldWrites() == 1);
  CHECK(workspace->state() == WorkspaceState::RUNNING);
  w.refusing.letWritesGo();
  CHECK(stopping.wait(w.scope).get<StopKind>() == StopKind::ORDERLY);
  CHECK(again.wait(w.scope).get<StopKind>() == StopKind::ORDERLY);
  CHECK(starting.wait(w.scope).get<Busy>().state == WorkspaceState::STOPPING);
  requireChain(w);
}

TEST_CASE("P28 a start whose beginning is being stored begins nothing yet, and is joined") {
  TestWorld w;
  w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
  auto workspace = w.find("demo");
  w.refusing.holdWrites();
  auto one = workspace->start(nullptr), two = workspace->start(nullptr);
  w.settle();
  CHECK(w.driver.startCount() == 0);
  w.refusing.letWritesGo();
  CHECK(one.wait(w.scope).get<kj::Own<StartReport>>()->failure == nullptr);
  CHECK(two.wait(w.scope).get<kj::Own<StartReport>>()->failure == nullptr);
  CHECK(w.driver.startCount() == 1);
}

TEST_CASE("P58 what happens while a stop is being stored is told after it, and in order") {
  TestWorld w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  auto workspace = w.find("demo");
  auto name = kj::mv(w.driver.running()[0]);
  bool isRefused = false;
  w.refusing.holdWrites();
  auto stopping = workspace->stop(0);
  w.settle();
  w.driver.loseVsock(name);
  w.driver.loseVsock(name);
  SECTION("and its machine ends") {
    w.driver.end(name, VmEnd::POWERED_OFF);
  }
  SECTION("and its machine ends, and the stop is refused") {
    w.driver.end(name, VmEnd::POWERED_OFF);
    w.refusing.writesToRefuse = 1;
    isRefused = true;
  }
  SECTION("and nothing else") {}
  w.settle();
  CHECK(workspace->state() == WorkspaceState::RUNNING);
  w.refusing.letWritesGo();
  if (isRefused) {
    CHECK_THROWS(stopping.wait(w.scope));
  } else {
    stopping.wait(w.scope);
  }
  w.settle();
  w.advance(2 * kj::SECONDS);
  w.settle();
  CHECK(workspace->state() == WorkspaceState::STOPPED);
  CHECK(w.stored() == WorkspaceState::STOPPED);
  requireChain(w);
  uint32_t lost = 0;
  for (auto& event : w.store->events(0, 100)) {
    if (event.cause == Cause::VSOCK_LOST) lost += event.count;
  }
  CHECK(lost == 2);
}

TEST_CASE("P28 S20 the machine and the disk of a stop do not wait for a store that takes nothing") {
  TestWorld w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  auto workspace = w.find("demo");
  auto machine = KJ_ASSERT_NONNULL(workspace->machine());
  w.volumes.failuresToReclaim = 1;
  // Its beginning, and that of its last step.
  w.refusing.writesToTake = 2;
  w.refusing.writesToRefuse = kj::maxValue;
  auto stopping = workspace->stop(0);
  CHECK_FALSE(stopping.poll(w.scope));
  REQUIRE(w.refusing.writesToTake == 0);
  CHECK(w.driver.running().size() == 0);
  CHECK(machine->isRetired());
  CHECK(w.volumes.owner(workspace->row().id) == 0);
  CHECK(w.stored() == WorkspaceState::STOPPING);
  w.refusing.writesToRefuse = 0;
  w.advance(1 * kj::SECONDS);
  CHECK(stopping.wait(w.scope).get<StopKind>() == StopKind::ORDERLY);
  w.settle();
  w.advance(1 * kj::SECONDS);
  w.settle();
  CHECK(w.stored() == WorkspaceState::STOPPED);
  CHECK(w.storedLeases() == 0);
  requireChain(w);
}

TEST_CASE("P58 of notices that wait to be stored the last that is told is the last that came") {
  TestWorld w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  auto name = kj::mv(w.driver.running()[0]);
  w.refusing.holdWrites();
  w.driver.loseVsock(name);
  w.settle();
  REQUIRE(w.refusing.heldWrites() == 1);
  w.driver.restoreVsock(name);
  w.driver.loseVsock(name);
  w.driver.restoreVsock(name);
  w.refusing.letWritesGo();
  w.settle();
  auto events = w.store->events(0, 100);
  REQUIRE(events.size() >= 2);
  auto &lost = events[events.size() - 2], &restored = events.back();
  CHECK((lost.cause == Cause::VSOCK_LOST && lost.count == 2));
  CHECK((restored.cause == Cause::VSOCK_RESTORED && restored.count == 2));
}

TEST_CASE("P28 a call that is dropped while its change is being stored is carried out") {
  TestWorld w;
  SECTION("a creation") {
    w.refusing.holdWrites();
    {
      auto dropped = w.manager->create(w.request("demo", false), nullptr);
      w.settle();
      REQUIRE(w.refusing.heldWrites() == 1);
    }
    w.settle();
    w.refusing.letWritesGo();
    w.settle();
    CHECK(w.find("demo")->state() == WorkspaceState::STOPPED);
  }
  SECTION("a stop") {
    w.manager->create(w.request("demo"), nullptr).wait(w.scope);
    w.refusing.holdWrites();
    {
      auto dropped = w.find("demo")->stop(0);
      w.settle();
      REQUIRE(w.refusing.heldWrites() == 1);
    }
    w.settle();
    w.refusing.letWritesGo();
    w.settle();
    CHECK(w.find("demo")->state() == WorkspaceState::STOPPED);
  }
  SECTION("a delete") {
    w.manager->create(w.request("demo"), nullptr).wait(w.scope);
    w.refusing.holdWrites();
    {
      auto dropped = w.find("demo")->erase();
      w.settle();
      REQUIRE(w.refusing.heldWrites() == 1);
    }
    w.settle();
    w.refusing.letWritesGo();
    w.settle();
    CHECK(w.manager->find("demo") == nullptr);
  }
}

TEST_CASE("S01 a call that is dropped while it waits for another leaves nothing") {
  TestWorld w;
  SECTION("a delete behind a stop") {
    w.manager->create(w.request("demo"), nullptr).wait(w.scope);
    w.refusing.holdWrites();
    auto stopping = w.find("demo")->stop(0);
    w.settle();
    {
      auto dropped = w.find("demo")->erase();
      w.settle();
    }
    w.refusing.letWritesGo();
    stopping.wait(w.scope);
    CHECK(w.find("demo")->state() == WorkspaceState::STOPPED);
  }
  SECTION("a creation behind another of the same name") {
    w.refusing.holdWrites();
    auto first = w.manager->create(w.request("demo", false), nullptr);
    w.settle();
    {
      auto dropped = w.manager->create(w.request("demo"), nullptr);
      w.settle();
    }
    w.refusing.letWritesGo();
    CHECK(first.wait(w.scope).is<WorkspaceManager::Created>());
    w.settle();
    CHECK(w.find("demo")->state() == WorkspaceState::STOPPED);
  }
}

TEST_CASE("S01 what no workspace can be called is refused before anything is waited for") {
  TestWorld w;
  w.refusing.holdWrites();
  auto first = w.manager->create(w.request("demo", false, "r"), nullptr);
  w.settle();
  auto request = w.request(kj::str(kj::repeat('a', 100000)), false, "r");
  CHECK(w.manager->create(kj::mv(request), nullptr).wait(w.scope).is<WorkspaceManager::Invalid>());
  w.refusing.letWritesGo();
  first.wait(w.scope);
}

TEST_CASE("P57 two who make the same at one time make one workspace") {
  TestWorld w;
  w.refusing.holdWrites();
  kj::StringPtr id = "r";
  SECTION("by its request id") {}
  SECTION("by its name") {
    id = "";
  }
  auto one = w.manager->create(w.request("demo", false, id), nullptr);
  auto two = w.manager->create(w.request("demo", false, id), nullptr);
  auto other = w.manager->create(w.request("other", false), nullptr);
  w.settle();
  // Who makes another waits for none of them.
  CHECK(w.refusing.heldWrites() == 2);
  w.refusing.letWritesGo();
  CHECK(one.wait(w.scope).is<WorkspaceManager::Created>());
  CHECK(two.wait(w.scope).is<WorkspaceManager::Created>() == (id.size() > 0));
  CHECK(other.wait(w.scope).is<WorkspaceManager::Created>());
  CHECK(w.store->workspaces().size() == 2);
}

TEST_CASE("P57 a repeated request is answered with what came of it, whatever has come then") {
  TestWorld w;
  SECTION("made, and broken since") {
    w.manager->create(w.request("demo", true, "r"), nullptr).wait(w.scope);
    w.driver.end(w.driver.running()[0], VmEnd::EXITED);
    w.settle();
    REQUIRE(w.find("demo")->state() == WorkspaceState::FAILED);
    SECTION("the same bothyd") {}
    SECTION("the next one") {
      w.restart();
    }
    auto again = w.manager->create(w.request("demo", true, "r"), nullptr).wait(w.scope);
    CHECK(again.is<WorkspaceManager::Created>());
  }
  SECTION("failed, and started since") {
    w.generation = rpc::GENERATION + 1;
    auto first = w.manager->create(w.request("demo", true, "r"), nullptr).wait(w.scope);
    auto& failure = first.get<StartReport::Failure>();
    w.generation = rpc::GENERATION;
    w.find("demo")->start(nullptr).wait(w.scope);
    REQUIRE(w.find("demo")->state() == WorkspaceState::RUNNING);
    auto again = w.manager->create(w.request("demo", true, "r"), nullptr).wait(w.scope);
    auto& told = again.get<StartReport::Failure>();
    CHECK(told.stage == failure.stage);
    CHECK(told.fault == StartFault::GENERATION);
    CHECK(told.message == failure.message);
  }
}

TEST_CASE("P57 nobody is told what came of a request before it is stored") {
  TestWorld w;
  // Of the creation three steps, of the start five, and its lease.
  w.refusing.writesToTake = 9;
  w.refusing.writesToRefuse = 1;
  auto creating = w.manager->create(w.request("demo", true, "r"), nullptr);
  w.settle();
  REQUIRE(w.driver.running().size() == 1);
  REQUIRE(w.refusing.writesToRefuse == 0);
  CHECK_FALSE(creating.poll(w.scope));
  SECTION("it is, a little later") {
    w.advance(1 * kj::SECONDS);
    CHECK(creating.wait(w.scope).is<WorkspaceManager::Created>());
  }
  SECTION("it is gone before") {
    w.find("demo")->erase().wait(w.scope);
    w.advance(1 * kj::SECONDS);
    auto outcome = creating.wait(w.scope);
    REQUIRE(outcome.is<StartReport::Failure>());
    CHECK(outcome.get<StartReport::Failure>().message == "it was deleted before it was ready");
  }
}

TEST_CASE("P57 a repeated request whose workspace goes while it is looked up is made anew") {
  TestWorld w;
  w.manager->create(w.request("demo", false, "r"), nullptr).wait(w.scope);
  w.refusing.holdRequests();
  auto again = w.manager->create(w.request("demo", false, "r"), nullptr);
  w.settle();
  w.find("demo")->erase().wait(w.scope);
  w.refusing.letRequestsGo();
  w.settle();
  REQUIRE(again.poll(w.scope));
  CHECK(again.wait(w.scope).is<WorkspaceManager::Created>());
  CHECK(w.find("demo")->state() == WorkspaceState::STOPPED);
}

TEST_CASE("P57 a repeated request whose start is stopped while it is looked up says so") {
  TestWorld w;
  w.agentAnswers = false;
  auto first = w.manager->create(w.request("demo", true, "r"), nullptr);
  w.settle();
  w.refusing.holdRequests();
  auto again = w.manager->create(w.request("demo", true, "r"), nullptr);
  w.settle();
  w.find("demo")->stop(0).wait(w.scope);
  w.refusing.letRequestsGo();
  CHECK(again.wait(w.scope).is<WorkspaceManager::Stopped>());
}

TEST_CASE("P58 who waits for an event hears of it though the change was refused at first") {
  TestWorld w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  auto newest = w.events->newest();
  w.refusing.writesToRefuse = 3;
  w.driver.loseVsock(w.driver.running()[0]);
  for (int i = 0; i < 4; i++) {
    w.settle();
    w.advance(4 * kj::SECONDS);
  }
  w.settle();
  CHECK(w.events->newest() == newest + 1);
  CHECK(w.events->newest() == w.store->lastEvent());
}

}  // namespace
}  // namespace bothy
