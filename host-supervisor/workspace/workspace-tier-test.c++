#include <catch2/catch_test_macros.hpp>

#include "workspace/test-world.h"

namespace bothy {
namespace {

WorkspaceManager::CreateRequest ofTier(TestWorld& w, kj::StringPtr tier) {
  auto request = w.request("demo", false);
  request.spec.tier = kj::str(tier);
  return request;
}

TEST_CASE("P53 a workspace that is made with a tier has its figures, also after a restart") {
  TestWorld w;
  CHECK(w.manager->create(ofTier(w, "pro"), nullptr).wait(w.scope).is<WorkspaceManager::Created>());
  auto check = [&]() {
    auto view = KJ_ASSERT_NONNULL(w.manager->view("demo"));
    CHECK(view.tier == "pro");
    CHECK((view.cpus == 2 && view.memoryMib == 2048 && view.diskMib == 10240));
  };
  check();
  // The settings of the tier change, and the workspace stays what it is.
  REQUIRE(w.limits.tiers.set("pro", "cpus=4 memory=4096") == nullptr);
  w.restart();
  check();
  w.find("demo")->start(nullptr).wait(w.scope);
  check();
  CHECK(w.driver.spec(w.find("demo")->row().id).memoryBytes == 2048ull << 20);
}

TEST_CASE("a tier that there is not, or figures beside one, are refused, and nothing is made") {
  TestWorld w;
  auto request = ofTier(w, "gold");
  SECTION("no such tier") {}
  SECTION("figures beside") {
    request = ofTier(w, "pro");
    request.spec.cpus = 2;
  }
  auto outcome = w.manager->create(kj::mv(request), nullptr).wait(w.scope);
  CHECK(outcome.is<WorkspaceManager::Invalid>());
  CHECK(w.manager->size() == 0);
}

TEST_CASE("P57 a request that is repeated with another tier is another request") {
  TestWorld w;
  auto request = [&](kj::StringPtr tier) {
    auto result = ofTier(w, tier);
    result.requestId = kj::str("r");
    return result;
  };
  CHECK(w.manager->create(request("pro"), nullptr).wait(w.scope).is<WorkspaceManager::Created>());
  CHECK(w.manager->create(request("pro"), nullptr).wait(w.scope).is<WorkspaceManager::Created>());
  CHECK(w.manager->create(request("free"), nullptr)
            .wait(w.scope)
            .is<WorkspaceManager::RequestConflict>());
}

constexpr TierWish APPLY{true, false};
constexpr uint64_t MIB = 1024 * 1024;

// Of "demo", by the schema's rules.
WorkspaceManager::TierOutcome change(TestWorld& w, kj::StringPtr tier, TierWish wish = APPLY) {
  return w.manager->changeTier("demo", tier, wish).wait(w.scope);
}

TEST_CASE("P53 a change of tier is planned first, and the plan changes nothing") {
  TestWorld w;
  w.manager->create(ofTier(w, "free"), nullptr).wait(w.scope);
  const auto events = w.store->lastEvent();
  auto plan = change(w, "pro", {}).get<TierPlan>().changes.releaseAsArray();
  CHECK(plan.size() == 4);
  CHECK(w.store->lastEvent() == events);
  CHECK(w.store->workspaces()[0].tier == "free");
  CHECK(KJ_ASSERT_NONNULL(w.manager->view("demo")).atNextStart == nullptr);
}

TEST_CASE("P53 a workspace without a tier has as many sessions before as any may have") {
  TestWorld w;
  w.limits.sessionsWithoutTier = 5;
  w.restart();
  w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
  auto plan =
      change(w, "pro", {true, true}).get<Workspace::TierChanged>().plan.changes.releaseAsArray();
  auto& sessions = plan.back();
  CHECK(sessions.figure == TierPlan::Figure::SESSIONS);
  CHECK((sessions.before == 5 && sessions.after == 3));
}

TEST_CASE(
    "P53 a machine that runs keeps its figures, and the next start has those of the new tier") {
  TestWorld w;
  auto request = ofTier(w, "free");
  request.start = true;
  w.manager->create(kj::mv(request), nullptr).wait(w.scope);
  auto demo = w.find("demo");
  auto id = kj::str(demo->row().id);
  CHECK(change(w, "pro").is<Workspace::TierChanged>());
  CHECK(demo->state() == WorkspaceState::RUNNING);
  auto event = w.store->events(0, 100).back().clone();
  CHECK((event.isNotice() && event.cause == Cause::REQUEST));
  CHECK(event.detail ==
        "its tier is pro: from its next start on 2 processors, 2048 MiB of memory and a disk of "
        "10240 MiB");
  auto check = [&](uint32_t cpus, uint32_t memoryMib, uint32_t diskMib, bool isPending) {
    auto view = KJ_ASSERT_NONNULL(w.manager->view("demo"));
    CHECK(view.tier == "pro");
    CHECK((view.cpus == cpus && view.memoryMib == memoryMib && view.diskMib == diskMib));
    CHECK((view.atNextStart != nullptr) == isPending);
    CHECK(w.driver.spec(id).memoryBytes == memoryMib * MIB);
    CHECK(w.volumes.bytes(id) == diskMib * MIB);
  };
  check(1, 512, 2048, true);
  SECTION("a restart of bothyd") {
    demo = nullptr;
    w.restart();
    demo = w.find("demo");
    check(1, 512, 2048, true);
  }
  SECTION("a reboot of the guest") {
    w.driver.end(id, VmEnd::REBOOTED);
    w.settle();
    w.advance(1 * kj::MINUTES);
    w.settle();
    REQUIRE(demo->state() == WorkspaceState::RUNNING);
    check(1, 512, 2048, true);
  }
  CHECK(w.manager->capacity().used() == Demand{512, 1, 10240});
  demo->stop(1000).wait(w.scope);
  demo->start(nullptr).wait(w.scope);
  check(2, 2048, 10240, false);
  CHECK(w.manager->capacity().used() == Demand{2048, 2, 10240});
}

TEST_CASE(
    "P29 a disk that a start was making larger when bothyd was killed is larger after the next") {
  TestWorld w;
  w.manager->create(ofTier(w, "free"), nullptr).wait(w.scope);
  change(w, "pro");
  auto id = kj::str(w.find("demo")->row().id);
  w.leave("demo", OperationKind::START, "check");
  SECTION("before") {}
  SECTION("after") {
    w.volumes.grow(id, 10240 * MIB).wait(w.scope);
  }
  w.restart();
  w.settle();
  CHECK(w.find("demo")->state() == WorkspaceState::RUNNING);
  CHECK(w.find("demo")->row().diskMib == 10240);
  CHECK(w.find("demo")->row().nextDiskMib == 0);
  CHECK(w.volumes.bytes(id) == 10240 * MIB);
}

TEST_CASE("a start whose disk cannot be made larger says so, and the next makes it") {
  TestWorld w;
  w.manager->create(ofTier(w, "free"), nullptr).wait(w.scope);
  change(w, "pro");
  w.volumes.isFull = true;
  auto outcome = w.find("demo")->start(nullptr).wait(w.scope);
  auto& failure = KJ_ASSERT_NONNULL(outcome.get<kj::Own<StartReport>>()->failure);
  CHECK(failure.fault == StartFault::DISK);
  CHECK(w.find("demo")->row().diskMib == 2048);
  w.volumes.isFull = false;
  w.find("demo")->start(nullptr).wait(w.scope);
  CHECK(w.find("demo")->row().diskMib == 10240);
}

TEST_CASE(
    "P53 what a machine may do with its disk changes at once, and is there after each start") {
  TestWorld w;
  REQUIRE(w.limits.tiers.set("free", "write=10") == nullptr);
  REQUIRE(w.limits.tiers.set("pro", "read=20 write=30 read-operations=40 write-operations=50") ==
          nullptr);
  w.restart();
  auto request = ofTier(w, "free");
  request.start = true;
  w.manager->create(kj::mv(request), nullptr).wait(w.scope);
  auto id = kj::str(w.find("demo")->row().id);
  CHECK(w.driver.spec(id).io == IoLimits{0, 10 * MIB, 0, 0});
  auto when = [](const TierPlan& plan) {
    for (auto& change : plan.changes) {
      if (change.figure == TierPlan::Figure::WRITE_BYTES) return change.when;
    }
    KJ_FAIL_REQUIRE("it does not change");
  };
  constexpr IoLimits PRO{20 * MIB, 30 * MIB, 40, 50};
  SECTION("at once") {
    auto outcome = change(w, "pro");
    CHECK(when(outcome.get<Workspace::TierChanged>().plan) == TierPlan::When::NOW);
    CHECK(w.driver.spec(id).io == PRO);
  }
  SECTION("a QEMU that does not obey has them from its next start on") {
    w.driver.refusesIoLimits = true;
    auto outcome = change(w, "pro");
    CHECK(when(outcome.get<Workspace::TierChanged>().plan) == TierPlan::When::NEXT_START);
    CHECK(w.driver.spec(id).io == IoLimits{0, 10 * MIB, 0, 0});
    w.find("demo")->stop(1000).wait(w.scope);
    w.find("demo")->start(nullptr).wait(w.scope);
    CHECK(w.driver.spec(id).io == PRO);
  }
  SECTION("P29 a bothyd that takes over a machine sets them again") {
    w.driver.refusesIoLimits = true;
    change(w, "pro");
    w.driver.refusesIoLimits = false;
    SECTION("one that runs") {}
    SECTION("one that an operation has left half-done") {
      w.leave("demo", OperationKind::PAUSE, "freeze");
    }
    w.restart();
    w.settle();
    CHECK(w.driver.spec(id).io == PRO);
  }
  SECTION("a machine that is not reached has them when it is") {
    w.driver.failAdoptions(KJ_EXCEPTION(FAILED, "libvirt is away"));
    w.restart();
    w.settle();
    auto outcome = change(w, "pro");
    CHECK(when(outcome.get<Workspace::TierChanged>().plan) == TierPlan::When::NEXT_START);
    w.driver.allowAdoptions();
    for (int i = 0; i < 60; i++) {
      w.advance(1 * kj::SECONDS);
      w.settle();
    }
    CHECK(w.driver.spec(id).io == PRO);
  }
  SECTION("P45 a QEMU that does not answer holds up no stop") {
    w.driver.ioLimitsHang = true;
    auto changing = w.manager->changeTier("demo", "pro", APPLY);
    w.settle();
    CHECK_FALSE(changing.poll(w.scope));
    CHECK(w.find("demo")->row().tier == "pro");
    CHECK(w.find("demo")->stop(1000).wait(w.scope).get<StopKind>() == StopKind::ORDERLY);
    w.advance(10 * kj::SECONDS);
    CHECK(when(changing.wait(w.scope).get<Workspace::TierChanged>().plan) ==
          TierPlan::When::NEXT_START);
  }
}

TEST_CASE("P53 P58 a paused workspace gets another tier, and has its figures when it starts anew") {
  TestWorld w;
  REQUIRE(w.limits.tiers.set("pro", "write=30") == nullptr);
  w.restart();
  auto request = ofTier(w, "free");
  request.start = true;
  w.manager->create(kj::mv(request), nullptr).wait(w.scope);
  auto id = kj::str(w.find("demo")->row().id);
  auto check = [&](uint32_t cpus, uint32_t memoryMib, WorkspaceState state) {
    auto view = KJ_ASSERT_NONNULL(w.manager->view("demo"));
    CHECK((view.tier == "pro" && view.cpus == cpus && view.memoryMib == memoryMib));
    CHECK(view.state == state);
    CHECK(w.driver.spec(id).memoryBytes == memoryMib * MIB);
    CHECK(w.driver.spec(id).io == IoLimits{0, 30 * MIB, 0, 0});
  };
  REQUIRE(w.find("demo")->pause().wait(w.scope).is<Workspace::Paused>());
  auto changed = change(w, "pro");
  for (auto& change : changed.get<Workspace::TierChanged>().plan.changes) {
    using When = TierPlan::When;
    const bool isLive = change.figure >= TierPlan::Figure::SESSIONS;
    CHECK(change.when == (isLive ? When::NOW : When::NEXT_START));
  }
  check(1, 512, WorkspaceState::PAUSED);
  CHECK(w.driver.isPaused(id));
  w.restart();
  w.settle();
  check(1, 512, WorkspaceState::PAUSED);
  CHECK(w.driver.isPaused(id));
  // To go on is no start.
  auto resumed = w.find("demo")->resume(nullptr).wait(w.scope);
  CHECK(resumed.get<kj::Own<StartReport>>()->failure == nullptr);
  check(1, 512, WorkspaceState::RUNNING);
  w.find("demo")->stop(1000).wait(w.scope);
  w.find("demo")->start(nullptr).wait(w.scope);
  check(2, 2048, WorkspaceState::RUNNING);
}

TEST_CASE("P53 a tier is not changed while its workspace is being paused") {
  TestWorld w;
  auto request = ofTier(w, "free");
  request.start = true;
  w.manager->create(kj::mv(request), nullptr).wait(w.scope);
  auto demo = w.find("demo");
  w.driver.changesHang = true;
  auto pausing = demo->pause();
  w.settle();
  CHECK(change(w, "pro").get<Busy>().state == WorkspaceState::PAUSING);
  CHECK(demo->row().tier == "free");
}

TEST_CASE("P53 a disk never shrinks: a smaller tier is refused, or changes the rest") {
  TestWorld w;
  w.manager->create(ofTier(w, "pro"), nullptr).wait(w.scope);
  auto refused = change(w, "free");
  CHECK(refused.get<TierPlan>().refusal.startsWith("the tier free has a disk of 2048 MiB"));
  CHECK(w.find("demo")->row().tier == "pro");
  CHECK(change(w, "free", {true, true}).is<Workspace::TierChanged>());
  auto demo = w.find("demo");
  CHECK((demo->row().tier == "free" && demo->row().cpus == 1));
  CHECK((demo->row().diskMib == 10240 && demo->row().nextDiskMib == 0));
  // Its disk has more than the tier's, and gets no more.
  auto bound = w.manager->mostDiskMib(demo->row());
  CHECK(demo->resize(20480, bound).wait(w.scope).get<Workspace::InvalidSize>().why ==
        "diskMib is 20480: its tier has 2048, change the tier for more");
}

TEST_CASE("a disk that is resized by hand may have what its tier has, and what was promised") {
  TestWorld w;
  w.manager->create(ofTier(w, "free"), nullptr).wait(w.scope);
  change(w, "pro");
  auto demo = w.find("demo");
  auto bound = w.manager->mostDiskMib(demo->row());
  CHECK(demo->resize(4096, bound).wait(w.scope).is<Workspace::InvalidSize>());
  CHECK(demo->resize(10240, bound).wait(w.scope).is<Workspace::Resized>());
  CHECK((demo->row().diskMib == 10240 && demo->row().nextDiskMib == 0));
}

TEST_CASE("what cannot have a tier says why, and nothing changes") {
  TestWorld w;
  w.limits.hostMemoryMib = 4000;
  w.limits.capacity.diskMib = 5000;
  w.restart();
  CHECK(change(w, "pro").is<WorkspaceManager::Absent>());
  w.manager->create(ofTier(w, "free"), nullptr).wait(w.scope);
  CHECK(change(w, "gold").get<Workspace::InvalidTier>().why ==
        "tier is 'gold': it must be one of free, pro, team, enterprise");
  CHECK(change(w, "team").get<Workspace::InvalidTier>().why ==
        "tier is 'team': it has 4096 MiB of memory, and the host 4000");
  CHECK(change(w, "pro").get<Shortage>().what == Resource::DISK);
  CHECK(w.manager->capacity().used() == Demand{0, 0, 2048});
  auto demo = w.find("demo");
  w.driver.holdStarts();
  auto starting = demo->start(nullptr);
  w.settle();
  CHECK(change(w, "pro").get<Busy>().state == WorkspaceState::STARTING);
  w.driver.releaseStarts();
  starting.wait(w.scope);
  CHECK(demo->row().tier == "free");
  // The database refuses it.
  REQUIRE(w.limits.tiers.set("free", "memory=600") == nullptr);
  demo = nullptr;
  w.restart();
  w.settle();
  w.refusing.writesToRefuse = 1;
  CHECK_THROWS(change(w, "free"));
  CHECK(w.find("demo")->row().memoryMib == 512);
  // The tier that it has brings it up to date.
  CHECK(change(w, "free").is<Workspace::TierChanged>());
  CHECK(w.find("demo")->row().memoryMib == 600);
}

}  // namespace
}  // namespace bothy
