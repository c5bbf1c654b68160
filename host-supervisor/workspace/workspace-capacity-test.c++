#include <catch2/catch_test_macros.hpp>

#include "workspace/host-room.h"
#include "workspace/test-world.h"

namespace bothy {
namespace {

constexpr uint64_t DISK_MIB = 4096;
constexpr Demand MACHINE{512, 1, 0};

// Room for two machines.
struct SmallHost: public TestWorld {
  SmallHost() {
    limits.capacity.memoryMib = 1024;
    limits.capacity.cpus = 8;
    limits.capacity.diskMib = 5 * DISK_MIB;
    limits.capacity.freeDiskMib = 256;
    restart();
  }

  void make(kj::StringPtr name) {
    REQUIRE(
        manager->create(request(name, false), nullptr).wait(scope).is<WorkspaceManager::Created>());
  }
  Workspace::StartOutcome start(kj::StringPtr name) {
    return find(name)->start(nullptr).wait(scope);
  }
  bool starts(kj::StringPtr name) {
    auto outcome = start(name);
    KJ_IF_MAYBE (report, outcome.tryGet<kj::Own<StartReport>>()) {
      return (*report)->failure == nullptr;
    }
    return false;
  }
  // Of so many disks and machines.
  bool isUsed(size_t disks, size_t machines) {
    Demand demand{0, 0, disks * DISK_MIB};
    for (size_t i = 0; i < machines; i++) demand = demand + MACHINE;
    return manager->capacity().used() == demand;
  }
};

TEST_CASE("P53 a start that does not fit is refused, and the workspace is as it was") {
  SmallHost w;
  for (auto name : {"a", "b", "c"}) w.make(name);
  CHECK(w.isUsed(3, 0));
  CHECK(w.starts("a"));
  CHECK(w.starts("b"));
  const auto events = w.store->lastEvent();
  const auto stored = w.store->state().operations.size();
  auto outcome = w.start("c");
  auto& shortage = outcome.get<Shortage>();
  CHECK((shortage.what == Resource::MEMORY && shortage.asked == 512 && shortage.free == 0));
  CHECK(w.find("c")->state() == WorkspaceState::STOPPED);
  CHECK(w.store->lastEvent() == events);
  CHECK(w.store->state().operations.size() == stored);
  CHECK(w.manager->leasesInUse() == 2);
  CHECK(w.isUsed(3, 2));
  // One that runs is there all the same.
  CHECK(w.starts("a"));
}

TEST_CASE("P53 a creation that does not fit is refused, and nothing is made") {
  SmallHost w;
  w.manager->create(w.request("a"), nullptr).wait(w.scope);
  w.manager->create(w.request("b"), nullptr).wait(w.scope);
  const auto events = w.store->lastEvent();
  auto request = [&]() { return w.request("c", true, "r"); };
  auto outcome = w.manager->create(request(), nullptr).wait(w.scope);
  CHECK(outcome.get<Shortage>().what == Resource::MEMORY);
  CHECK(w.manager->size() == 2);
  CHECK(w.store->lastEvent() == events);
  CHECK(w.volumes.count() == 2);
  CHECK(w.isUsed(2, 2));
  // The same request is not refused for ever.
  w.find("a")->stop(1000).wait(w.scope);
  CHECK(w.manager->create(request(), nullptr).wait(w.scope).is<WorkspaceManager::Created>());
  CHECK(w.isUsed(3, 2));
}

TEST_CASE("P53 of starts at once as many begin as fit, and the others are refused") {
  SmallHost w;
  kj::Vector<kj::Promise<Workspace::StartOutcome>> starts;
  for (auto name : {"a", "b", "c", "d"}) w.make(name);
  for (auto name : {"a", "b", "c", "d"}) starts.add(w.find(name)->start(nullptr));
  size_t refused = 0;
  for (auto& start : starts) refused += start.wait(w.scope).is<Shortage>();
  CHECK(refused == 2);
  CHECK(w.isUsed(4, 2));
}

TEST_CASE("P28 what a machine takes is given back once, however it ends") {
  SmallHost w;
  for (auto name : {"a", "b"}) w.make(name);
  auto a = w.find("a");
  auto id = kj::str(a->row().id);
  size_t disks = 2;
  SECTION("a stop") {
    REQUIRE(w.starts("a"));
    a->stop(1000).wait(w.scope);
  }
  SECTION("the guest turns off") {
    REQUIRE(w.starts("a"));
    w.driver.end(id, VmEnd::POWERED_OFF);
  }
  SECTION("its QEMU is killed") {
    REQUIRE(w.starts("a"));
    w.driver.end(id, VmEnd::EXITED);
  }
  SECTION("a start that fails") {
    w.driver.failStarts(KJ_EXCEPTION(FAILED, "no"));
    CHECK_FALSE(w.starts("a"));
  }
  SECTION("a start that the database refuses to begin") {
    w.refusing.writesToRefuse = 1;
    CHECK_THROWS(w.start("a"));
  }
  SECTION("a start that is stopped") {
    w.driver.holdStarts();
    auto starting = a->start(nullptr);
    w.settle();
    CHECK(w.isUsed(2, 1));
    a->stop(1000).wait(w.scope);
    w.driver.releaseStarts();
  }
  SECTION("a start whose caller leaves") {
    w.driver.holdStarts();
    {
      auto starting = a->start(nullptr);
      w.settle();
    }
    w.driver.releaseStarts();
    w.settle();
    CHECK(w.isUsed(2, 1));
    a->stop(1000).wait(w.scope);
  }
  SECTION("a deletion of what runs") {
    REQUIRE(w.starts("a"));
    a->erase().wait(w.scope);
    disks = 1;
  }
  SECTION("a deletion of what starts") {
    w.driver.holdStarts();
    auto starting = a->start(nullptr);
    w.settle();
    a->erase().wait(w.scope);
    w.driver.releaseStarts();
    disks = 1;
  }
  SECTION("a reboot, and then a stop") {
    REQUIRE(w.starts("a"));
    w.driver.end(id, VmEnd::REBOOTED);
    w.settle();
    CHECK(w.isUsed(2, 1));
    a->stop(1000).wait(w.scope);
  }
  w.settle();
  // Also as long as somebody holds it, and when nobody does.
  CHECK(w.isUsed(disks, 0));
  a = nullptr;
  w.settle();
  CHECK(w.isUsed(disks, 0));
  REQUIRE(w.starts("b"));
  CHECK(w.isUsed(disks, 1));
}

TEST_CASE("P28 a machine of which something is left counts until it is gone") {
  SmallHost w;
  w.make("a");
  REQUIRE(w.starts("a"));
  auto id = kj::str(w.find("a")->row().id);
  w.volumes.unreclaimable = kj::str(id);
  w.driver.end(id, VmEnd::EXITED);
  w.settle();
  CHECK(w.find("a")->state() == WorkspaceState::FAILED);
  CHECK(w.isUsed(1, 1));
  w.volumes.unreclaimable = nullptr;
  w.advance(1 * kj::MINUTES);
  w.settle();
  CHECK(w.isUsed(1, 0));
}

TEST_CASE("P53 P58 a paused machine has its room, also over a restart, and needs none to go on") {
  SmallHost w;
  for (auto name : {"a", "b", "c"}) w.make(name);
  REQUIRE(w.starts("a"));
  REQUIRE(w.starts("b"));
  REQUIRE(w.find("a")->pause().wait(w.scope).is<Workspace::Paused>());
  CHECK(w.isUsed(3, 2));
  CHECK(w.start("c").is<Shortage>());
  CHECK(w.find("c")->state() == WorkspaceState::STOPPED);
  // Less than what it has already.
  w.limits.capacity.memoryMib = 600;
  w.limits.capacity.cpus = 1;
  w.volumes.free = 0;
  w.restart();
  w.settle();
  CHECK(w.find("a")->state() == WorkspaceState::PAUSED);
  CHECK(w.isUsed(3, 2));
  SECTION("it is resumed") {
    auto outcome = w.find("a")->resume(nullptr).wait(w.scope);
    CHECK(outcome.get<kj::Own<StartReport>>()->failure == nullptr);
    CHECK(w.isUsed(3, 2));
  }
  SECTION("it is started") {
    CHECK(w.starts("a"));
    CHECK(w.isUsed(3, 2));
  }
  SECTION("it is stopped") {
    w.find("a")->stop(1000).wait(w.scope);
    CHECK(w.isUsed(3, 1));
  }
  SECTION("its machine ends") {
    w.driver.end(w.find("a")->row().id, VmEnd::EXITED);
    w.settle();
    CHECK(w.isUsed(3, 1));
  }
}

TEST_CASE("P41 what runs and what starts counts after a restart, also where it does not fit") {
  SmallHost w;
  for (auto name : {"a", "b", "c"}) w.make(name);
  REQUIRE(w.starts("a"));
  w.leave("b", OperationKind::START, "clear");
  w.driver.holdStarts();
  w.limits.capacity.memoryMib = 600;
  w.restart();
  w.settle();
  CHECK(w.find("b")->state() == WorkspaceState::STARTING);
  CHECK(w.isUsed(3, 2));
  CHECK(w.start("c").is<Shortage>());
  w.driver.releaseStarts();
  w.settle();
  CHECK(w.find("b")->state() == WorkspaceState::RUNNING);
  w.find("a")->stop(1000).wait(w.scope);
  CHECK(w.start("c").is<Shortage>());
  w.find("b")->stop(1000).wait(w.scope);
  CHECK(w.starts("c"));
}

TEST_CASE("who holds a workspace may outlive what it counts in") {
  SmallHost w;
  w.make("a");
  REQUIRE(w.starts("a"));
  auto a = w.find("a");
  w.restart();
  a = nullptr;
  CHECK(w.isUsed(1, 1));
}

TEST_CASE(
    "P45 a disk that does not say what is free on it ends the question, not the asker's wait") {
  SmallHost w;
  w.volumes.hidesFree = true;
  auto asking = w.manager->freeDiskMib();
  w.settle();
  w.advance(ROOM_LIMIT);
  REQUIRE(asking.poll(w.scope));
  CHECK_THROWS(asking.wait(w.scope));
}

TEST_CASE("P45 a stop that follows a start comes after it, also while the disk is looked at") {
  SmallHost w;
  w.make("a");
  w.volumes.hidesFree = true;
  auto a = w.find("a");
  auto starting = a->start(nullptr);
  auto stopping = a->stop(1000);
  w.settle();
  w.advance(ROOM_LIMIT);
  CHECK(starting.wait(w.scope).is<Superseded>());
  stopping.wait(w.scope);
  CHECK(a->state() == WorkspaceState::STOPPED);
  CHECK(w.isUsed(1, 0));
}

TEST_CASE("P53 processors and disks are counted too") {
  SmallHost w;
  SECTION("processors") {
    auto request = w.request("a");
    request.spec.cpus = 9;
    auto outcome = w.manager->create(kj::mv(request), nullptr).wait(w.scope);
    CHECK(outcome.get<Shortage>().what == Resource::CPUS);
  }
  SECTION("a disk") {
    auto request = w.request("a", false);
    request.spec.diskMib = 5 * DISK_MIB + 1;
    auto outcome = w.manager->create(kj::mv(request), nullptr).wait(w.scope);
    CHECK(outcome.get<Shortage>().what == Resource::DISK);
    w.make("a");
    w.make("b");
    auto resized = w.find("b")->resize(4 * DISK_MIB + 1).wait(w.scope);
    CHECK(resized.get<Shortage>().free == 4 * DISK_MIB);
    CHECK(w.find("b")->resize(4 * DISK_MIB).wait(w.scope).is<Workspace::Resized>());
    CHECK(w.isUsed(5, 0));
    w.find("b")->erase().wait(w.scope);
    CHECK(w.isUsed(1, 0));
  }
}

TEST_CASE("P44 on a full disk nothing begins, and what does not know how full it is goes on") {
  SmallHost w;
  w.make("a");
  w.volumes.free = 255ull << 20;
  const auto events = w.store->lastEvent();
  CHECK(w.start("a").get<Shortage>().what == Resource::DISK);
  CHECK(w.find("a")->resize(8192).wait(w.scope).get<Shortage>().free == 255);
  CHECK(w.manager->create(w.request("b"), nullptr).wait(w.scope).is<Shortage>());
  CHECK(w.store->lastEvent() == events);
  CHECK(w.find("a")->state() == WorkspaceState::STOPPED);

  w.volumes.hidesFree = true;
  auto starting = w.find("a")->start(nullptr);
  w.settle();
  CHECK(w.find("a")->state() == WorkspaceState::STOPPED);
  w.advance(ROOM_LIMIT);
  CHECK(starting.wait(w.scope).is<kj::Own<StartReport>>());
  CHECK(w.find("a")->state() == WorkspaceState::RUNNING);
}

}  // namespace
}  // namespace bothy
