#include "workspace/workspace-manager.h"

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <stdlib.h>

#include <catch2/catch_test_macros.hpp>

#include "support/fake-vm-driver.h"
#include "workspace/test-world.h"

namespace bothy {
namespace {

TEST_CASE("a created workspace runs, with exactly what was asked for") {
  TestWorld w;
  auto outcome = w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  REQUIRE(outcome.is<WorkspaceManager::Created>());
  auto& workspace = *outcome.get<WorkspaceManager::Created>().workspace;
  auto& row = workspace.row();
  CHECK(workspace.state() == WorkspaceState::RUNNING);
  CHECK(w.lease("demo").agentVersion == "1.2.3");
  auto& spec = w.driver.spec(row.id);
  CHECK(spec.cpus == 1);
  CHECK(spec.memoryBytes == 512ull * 1024 * 1024);
  CHECK(spec.uid == w.lease("demo").uid);
  CHECK(spec.secret.size() == 32);
  CHECK(w.volumes.bytes(row.id) == 4096ull * 1024 * 1024);
  CHECK(w.volumes.owner(row.id) == spec.uid);
}

TEST_CASE("S12 no text of a user reaches the machine's name") {
  TestWorld w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  auto running = w.driver.running();
  REQUIRE(running.size() == 1);
  CHECK(WorkspaceId::parse(running[0]) != nullptr);
}

TEST_CASE("S20 S25 every boot has a secret of its own, and no two machines a uid or a cid") {
  TestWorld w;
  w.manager->create(w.request("one"), nullptr).wait(w.scope);
  w.manager->create(w.request("two"), nullptr).wait(w.scope);
  auto one = w.find("one");
  CHECK(w.lease("one").uid != w.lease("two").uid);
  CHECK(w.lease("one").cid != w.lease("two").cid);
  auto first = w.lease("one");
  one->stop(0).wait(w.scope);
  CHECK(one->machineRow() == nullptr);
  one->start(nullptr).wait(w.scope);
  auto second = w.lease("one");
  CHECK(second.secret != first.secret);
  CHECK(second.secret != w.lease("two").secret);
  // The first one rests.
  CHECK(second.uid != first.uid);
}

TEST_CASE("callers who arrive while it starts join the same start") {
  TestWorld w;
  w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
  auto workspace = w.find("demo");
  w.driver.holdStarts();
  auto first = workspace->start(nullptr);
  auto second = workspace->start(nullptr);
  CHECK_FALSE(first.poll(w.scope));
  w.driver.releaseStarts();
  first.wait(w.scope);
  second.wait(w.scope);
  CHECK(w.driver.startCount() == 1);
}

TEST_CASE("a start goes on when its caller leaves") {
  TestWorld w;
  w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
  auto workspace = w.find("demo");
  w.driver.holdStarts();
  {
    auto start = workspace->start(nullptr);
  }
  w.driver.releaseStarts();
  workspace->start(nullptr).wait(w.scope);
  CHECK(workspace->state() == WorkspaceState::RUNNING);
  CHECK(w.driver.startCount() == 1);
}

TEST_CASE("P30 a failed start names its stage, with the console's end") {
  TestWorld w;
  // Its file gets that later.
  w.driver.console = kj::str("Kernel panic - not syncing: No working init found.");
  SECTION("the machine does not start") {
    w.files.console = kj::str("words to its file");
    w.driver.failStarts(KJ_EXCEPTION(FAILED, "QEMU said no"));
    auto outcome = w.manager->create(w.request("demo"), nullptr).wait(w.scope);
    auto& failure = outcome.get<StartReport::Failure>();
    CHECK(failure.stage == Stage::STARTING_VM);
    CHECK(failure.fault == StartFault::VMM_EXITED);
    CHECK(failure.message == "QEMU said no");
    CHECK(failure.console == w.files.console);
  }
  SECTION("the machine ends while it boots") {
    w.agentAnswers = false;
    auto creating = w.manager->create(w.request("demo"), nullptr);
    CHECK_FALSE(creating.poll(w.scope));
    w.driver.end(w.driver.running()[0], VmEnd::CRASHED);
    auto outcome = creating.wait(w.scope);
    auto& failure = outcome.get<StartReport::Failure>();
    CHECK(failure.stage == Stage::BOOTING);
    CHECK(failure.fault == StartFault::NO_INIT);
    CHECK(failure.message ==
          "while booting, the machine's kernel panicked: No working init found.");
    CHECK(failure.console == w.driver.console);
  }
  SECTION("the agent never answers") {
    w.agentAnswers = false;
    auto creating = w.manager->create(w.request("demo"), nullptr);
    for (int i = 0; i < 2000 && !creating.poll(w.scope); i++) w.advance(100 * kj::MILLISECONDS);
    auto outcome = creating.wait(w.scope);
    auto& failure = outcome.get<StartReport::Failure>();
    CHECK(failure.stage == Stage::BOOTING);
    CHECK(failure.fault == StartFault::NO_HELLO);
    CHECK(failure.message.startsWith("the machine's agent did not answer within 120 s"));
    CHECK(failure.console == w.driver.console);
  }
  SECTION("the kernel says nothing: told before the deadline of the agent") {
    w.agentAnswers = false;
    w.driver.console = nullptr;
    auto creating = w.manager->create(w.request("demo"), nullptr);
    CHECK_FALSE(creating.poll(w.scope));
    for (int i = 0; i < 610 && !creating.poll(w.scope); i++) w.advance(100 * kj::MILLISECONDS);
    auto outcome = creating.wait(w.scope);
    auto& failure = outcome.get<StartReport::Failure>();
    CHECK(failure.fault == StartFault::KERNEL_SILENT);
    CHECK(failure.message.startsWith("nothing came from the machine's kernel within 60 s"));
  }
  SECTION("the agent is of another generation") {
    w.generation = rpc::GENERATION + 1;
    auto outcome = w.manager->create(w.request("demo"), nullptr).wait(w.scope);
    auto& failure = outcome.get<StartReport::Failure>();
    CHECK(failure.stage == Stage::BOOTING);
    CHECK(failure.fault == StartFault::GENERATION);
    w.generation = rpc::GENERATION;
  }
  SECTION("its disk is not the one that was made") {
    auto outcome = w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
    auto workspace = w.find("demo");
    w.volumes.destroy(workspace->row().id).wait(w.scope);
    auto started = workspace->start(nullptr).wait(w.scope);
    auto& failure = KJ_ASSERT_NONNULL(started.get<kj::Own<StartReport>>()->failure);
    CHECK(failure.stage == Stage::STARTING_VM);
    CHECK(failure.fault == StartFault::DISK);
    w.volumes
        .create(workspace->row().id, 4096ull << 20, w.keys.open(workspace->row().id).wait(w.scope))
        .wait(w.scope);
  }
  CHECK(w.driver.running().size() == 0);
  auto workspace = w.find("demo");
  CHECK(workspace->state() == WorkspaceState::FAILED);
  CHECK(workspace->row().failure.size() > 0);
  // And it may be started again.
  w.agentAnswers = true;
  workspace->start(nullptr).wait(w.scope);
  CHECK(workspace->state() == WorkspaceState::RUNNING);
}

TEST_CASE("a host without space makes nothing") {
  TestWorld w;
  w.volumes.isFull = true;
  auto outcome = w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  CHECK(outcome.is<WorkspaceManager::NoSpace>());
  CHECK(w.manager->find("demo") == nullptr);
  CHECK(w.store->workspaces().size() == 0);
  CHECK(w.keys.count() == 0);
}

TEST_CASE("P57 the same request id gives the same workspace, also after a restart") {
  TestWorld w;
  auto first = w.manager->create(w.request("demo", true, "r"), nullptr).wait(w.scope);
  auto id = kj::str(first.get<WorkspaceManager::Created>().workspace->row().id);
  auto again = w.manager->create(w.request("demo", true, "r"), nullptr).wait(w.scope);
  CHECK(again.get<WorkspaceManager::Created>().workspace->row().id == id);
  CHECK(w.manager->create(w.request("other", true, "r"), nullptr)
            .wait(w.scope)
            .is<WorkspaceManager::RequestConflict>());
  CHECK(w.manager->create(w.request("demo"), nullptr).wait(w.scope).is<WorkspaceManager::Exists>());
  again = WorkspaceManager::RequestConflict();
  first = WorkspaceManager::RequestConflict();

  w.restart();
  auto later = w.manager->create(w.request("demo", true, "r"), nullptr).wait(w.scope);
  CHECK(later.get<WorkspaceManager::Created>().workspace->row().id == id);
  CHECK(w.driver.startCount() == 1);
}

TEST_CASE("P57 a repeated request finds its workspace also on a host that has less memory since") {
  TestWorld w;
  auto request = [&](kj::StringPtr name, kj::StringPtr requestId) {
    auto result = w.request(name, false, requestId);
    result.spec.memoryMib = 1024;
    return result;
  };
  w.manager->create(request("demo", "r"), nullptr).wait(w.scope);
  w.limits.hostMemoryMib = 512;
  w.restart();
  auto again = w.manager->create(request("demo", "r"), nullptr).wait(w.scope);
  CHECK(again.is<WorkspaceManager::Created>());
  auto another = w.manager->create(request("other", "s"), nullptr).wait(w.scope);
  CHECK(another.get<WorkspaceManager::Invalid>().why.startsWith("memoryMib is 1024: "));
}

TEST_CASE("P57 a repeated request joins the first while it is under way") {
  TestWorld w;
  w.driver.holdStarts();
  auto first = w.manager->create(w.request("demo", true, "r"), nullptr);
  auto second = w.manager->create(w.request("demo", true, "r"), nullptr);
  CHECK_FALSE(second.poll(w.scope));
  w.driver.releaseStarts();
  auto one = first.wait(w.scope), two = second.wait(w.scope);
  CHECK(one.get<WorkspaceManager::Created>().workspace.get() ==
        two.get<WorkspaceManager::Created>().workspace.get());
}

TEST_CASE("P41 a restart finds every running machine and its agent") {
  TestWorld w;
  w.manager->create(w.request("one"), nullptr).wait(w.scope);
  w.manager->create(w.request("two"), nullptr).wait(w.scope);
  w.manager->create(w.request("three", false), nullptr).wait(w.scope);
  w.restart();
  CHECK(w.manager->size() == 3);
  CHECK(w.find("one")->state() == WorkspaceState::RUNNING);
  CHECK(w.find("three")->state() == WorkspaceState::STOPPED);
  auto machine = KJ_ASSERT_NONNULL(w.find("two")->machine());
  machine->control().wait(w.scope).pingRequest().send().wait(w.scope);
  CHECK(w.driver.startCount() == 2);
  auto events = w.store->events(0, 100);
  CHECK(events.back().cause == Cause::ADOPTED);
}

TEST_CASE("P29 what a supervisor left half-done is finished or undone by the next") {
  TestWorld w;
  SECTION("a start, before the machine ran") {
    w.driver.holdStarts();
    auto creating = w.manager->create(w.request("demo"), nullptr);
    CHECK_FALSE(creating.poll(w.scope));
    creating = nullptr;
    w.driver.releaseStarts();
    w.restart();
    CHECK(w.find("demo")->state() == WorkspaceState::STARTING);
    w.find("demo")->join(nullptr).wait(w.scope);
    CHECK(w.find("demo")->state() == WorkspaceState::RUNNING);
  }
  SECTION("a start, after it ran") {
    w.agentAnswers = false;
    auto creating = w.manager->create(w.request("demo"), nullptr);
    CHECK_FALSE(creating.poll(w.scope));
    creating = nullptr;
    w.agentAnswers = true;
    w.restart();
    w.find("demo")->join(nullptr).wait(w.scope);
    CHECK(w.find("demo")->state() == WorkspaceState::RUNNING);
  }
  SECTION("a stop") {
    w.manager->create(w.request("demo"), nullptr).wait(w.scope);
    w.powersOff = false;
    auto stopping = w.find("demo")->stop(1000);
    CHECK_FALSE(stopping.poll(w.scope));
    stopping = nullptr;
    w.powersOff = true;
    w.restart();
    w.find("demo")->stop(0).wait(w.scope);
    CHECK(w.find("demo")->state() == WorkspaceState::STOPPED);
    CHECK(w.driver.running().size() == 0);
  }
  SECTION("a delete") {
    w.manager->create(w.request("demo"), nullptr).wait(w.scope);
    w.volumes.failuresToDestroy = 1;
    auto erasing = w.find("demo")->erase();
    CHECK_FALSE(erasing.poll(w.scope));
    erasing = nullptr;
    w.restart();
    w.settle();
    CHECK(w.manager->find("demo") == nullptr);
    CHECK(w.volumes.count() == 0);
  }
  SECTION("a machine that ended meanwhile") {
    w.manager->create(w.request("demo"), nullptr).wait(w.scope);
    w.manager = nullptr;
    w.driver.end(w.driver.running()[0], VmEnd::EXITED);
    w.restart();
    w.settle();
    CHECK(w.find("demo")->state() == WorkspaceState::STOPPED);
    CHECK(w.store->events(0, 100).back().cause == Cause::RECOVERED);
  }
}

TEST_CASE("stop is orderly where the guest obeys and forced where it does not") {
  TestWorld w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  auto workspace = w.find("demo");
  CHECK(workspace->stop(1000).wait(w.scope).get<StopKind>() == StopKind::ORDERLY);
  CHECK(workspace->stop(1000).wait(w.scope).get<StopKind>() == StopKind::ALREADY);

  workspace->start(nullptr).wait(w.scope);
  w.powersOff = false;
  auto stopping = workspace->stop(1000);
  CHECK_FALSE(stopping.poll(w.scope));
  w.advance(16 * kj::SECONDS);
  CHECK(stopping.wait(w.scope).get<StopKind>() == StopKind::FORCED);
  CHECK(w.driver.running().size() == 0);
}

TEST_CASE("what a client holds of a machine that stopped says so") {
  TestWorld w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  auto workspace = w.find("demo");
  auto machine = KJ_ASSERT_NONNULL(workspace->machine());
  workspace->stop(0).wait(w.scope);
  KJ_IF_MAYBE (e, kj::runCatchingExceptions([&]() { machine->control().wait(w.scope); })) {
    CHECK(e->getType() == kj::Exception::Type::DISCONNECTED);
  } else {
    FAIL("it answered");
  }
}

}  // namespace
}  // namespace bothy
