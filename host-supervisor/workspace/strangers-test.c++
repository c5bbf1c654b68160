#include "workspace/strangers.h"

#include <string.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "workspace/test-lease-host.h"

namespace bothy {
namespace {

TEST_CASE("S20 the user id of a machine of no workspace is given to none until that is gone") {
  const bool keepsDisk = GENERATE(false, true);
  LeaseHost h(2);
  auto& w = h.w;
  w.manager->create(w.request("new", false), nullptr).wait(w.scope);
  w.store->commit(kj::mv(Change().removeWorkspace(h.id, 1)));
  SECTION("which the driver knows") {
    w.driver.failRemovals(1);
    w.restart();
    w.find("new")->start(nullptr).wait(w.scope);
    CHECK(w.lease("new").uid != h.uid);
    w.find("new")->stop(0).wait(w.scope);
  }
  SECTION("which nobody knows") {
    w.driver.failRemovals(1);
    w.driver.recordsAreDamaged = true;
    w.restart();
    CHECK(strstr(h.whyNotStarted("new").cStr(), "of no workspace") != nullptr);
  }
  SECTION("which could not be read at first") {
    w.driver.listingsToFail = 1;
    w.restart();
    CHECK(strstr(h.whyNotStarted("new").cStr(), "cannot be read") != nullptr);
  }
  CHECK(w.driver.isRunning(h.id));
  if (keepsDisk) {
    w.volumes.failuresToReclaim = 1;
    h.later();
    CHECK_FALSE(w.driver.isRunning(h.id));
    CHECK(w.volumes.owner(h.id) == h.uid);
  }
  h.later();
  CHECK_FALSE(w.driver.isRunning(h.id));
  CHECK(w.volumes.owner(h.id) == 0);
  w.advance(LEASE_REST);
  for (auto name : {"new", "third"}) {
    w.manager->create(w.request(name, false), nullptr).wait(w.scope);
    auto outcome = w.find(name)->start(nullptr).wait(w.scope);
    CHECK(outcome.get<kj::Own<StartReport>>()->failure == nullptr);
  }
}

TEST_CASE("S20 the user id of a disk of which no row tells is given to none until that is root's") {
  LeaseHost h(2);
  auto& w = h.w;
  w.manager->create(w.request("new", false), nullptr).wait(w.scope);
  w.manager->create(w.request("third", false), nullptr).wait(w.scope);
  using Listing = FakeVolumeStore::Listing;
  auto listing = Listing::WORKS;
  SECTION("of no workspace") {
    w.store->commit(kj::mv(Change().removeWorkspace(h.id, 1)));
  }
  SECTION("of a workspace that rests") {
    auto row = w.find("demo")->row().clone();
    row.rest = Rest::STOPPED;
    w.store->commit(kj::mv(Change().update(kj::mv(row)).releaseMachine(h.id, 1)));
  }
  SECTION("where disks cannot be listed at first") {
    w.store->commit(kj::mv(Change().removeWorkspace(h.id, 1)));
    listing = GENERATE(Listing::FAILS, Listing::THROWS);
  }
  // This bothyd is killed when the machine and its record are gone.
  w.volumes.unreclaimable = kj::str(h.id);
  w.restart();
  w.settle();
  REQUIRE_FALSE(w.driver.isRunning(h.id));
  REQUIRE(w.volumes.owner(h.id) == h.uid);
  w.volumes.listing = listing;
  w.restart();
  if (listing != Listing::WORKS) {
    for (int tries = 0; tries < 2; ++tries) {
      CHECK(strstr(h.whyNotStarted("new").cStr(), "whose the disks are cannot be read") != nullptr);
      h.later();
    }
    w.volumes.listing = Listing::WORKS;
    h.later();
  }
  w.find("new")->start(nullptr).wait(w.scope);
  CHECK(w.lease("new").uid != h.uid);
  CHECK(strstr(h.whyNotStarted("third").cStr(), "are taken") != nullptr);
  w.volumes.unreclaimable = nullptr;
  h.later();
  CHECK(w.volumes.owner(h.id) == 0);
  w.advance(LEASE_REST);
  w.find("third")->start(nullptr).wait(w.scope);
  CHECK(w.lease("third").uid == h.uid);
}

TEST_CASE("S20 a disk that cannot be taken back keeps no other user id than its own") {
  LeaseHost h(2);
  auto& w = h.w;
  w.manager->create(w.request("other"), nullptr).wait(w.scope);
  auto other = kj::str(w.find("other")->row().id);
  for (auto& id : {h.id.asPtr(), other.asPtr()}) {
    w.store->commit(kj::mv(Change().removeWorkspace(id, 1)));
  }
  const bool isFirst = GENERATE(false, true);
  auto kept = isFirst ? h.id.asPtr() : other.asPtr();
  auto freed = isFirst ? other.asPtr() : h.id.asPtr();
  w.volumes.unreclaimable = kj::str(kept);
  w.restart();
  w.settle();
  CHECK(w.volumes.owner(kept) != 0);
  CHECK(w.volumes.owner(freed) == 0);
  w.advance(LEASE_REST);
  w.manager->create(w.request("new"), nullptr).wait(w.scope);
  CHECK(w.lease("new").uid != w.volumes.owner(kept));
}

TEST_CASE("S20 a machine of no workspace that cannot be ended keeps no user id but its own") {
  LeaseHost h(2);
  auto& w = h.w;
  w.manager->create(w.request("other"), nullptr).wait(w.scope);
  auto other = kj::str(w.find("other")->row().id);
  const auto otherUid = w.lease("other").uid;
  for (auto& id : {h.id.asPtr(), other.asPtr()}) {
    w.store->commit(kj::mv(Change().removeWorkspace(id, 1)));
  }
  const bool isFirst = GENERATE(false, true);
  auto kept = isFirst ? h.id.asPtr() : other.asPtr();
  auto freed = isFirst ? other.asPtr() : h.id.asPtr();
  const auto keptUid = isFirst ? h.uid : otherUid;
  w.driver.unremovable = kj::str(kept);
  w.driver.removalsHang = GENERATE(false, true);
  auto recovered = w.beginAgain();
  w.settle();
  CHECK(recovered.poll(w.scope) != w.driver.removalsHang);
  CHECK(w.driver.isRunning(kept));
  CHECK_FALSE(w.driver.isRunning(freed));
  CHECK(w.volumes.owner(freed) == 0);
  w.advance(Deadlines().destroyVm);
  recovered.wait(w.scope);
  w.advance(LEASE_REST);
  for (auto name : {"new", "third"}) {
    w.manager->create(w.request(name, false), nullptr).wait(w.scope);
  }
  w.find("new")->start(nullptr).wait(w.scope);
  CHECK(w.lease("new").uid != keptUid);
  CHECK(strstr(h.whyNotStarted("third").cStr(), "are taken") != nullptr);
  // Until it is gone.
  w.driver.unremovable = nullptr;
  for (int tries = 0; tries < 2; ++tries) h.later();
  CHECK_FALSE(w.driver.isRunning(kept));
  w.advance(LEASE_REST);
  w.find("third")->start(nullptr).wait(w.scope);
  CHECK(w.lease("third").uid == keptUid);
}

TEST_CASE("S20 what the machine of a workspace has, and no row tells, is free when that is gone") {
  LeaseHost h(1);
  auto& w = h.w;
  w.manager->create(w.request("new", false), nullptr).wait(w.scope);
  auto row = w.find("demo")->row().clone();
  row.rest = Rest::STOPPED;
  w.store->commit(kj::mv(Change().update(kj::mv(row)).releaseMachine(h.id, 1)));
  w.restart();
  w.settle();
  CHECK_FALSE(w.driver.isRunning(h.id));
  CHECK(h.whyNotStarted("new").size() > 0);
  w.advance(LEASE_REST);
  w.find("new")->start(nullptr).wait(w.scope);
  CHECK(w.lease("new").uid == h.uid);
}

TEST_CASE(
    "S20 a start ends what its own workspace had without a row, and then keeps nobody from a "
    "lease") {
  // One to rest, when its disk is root's again.
  LeaseHost h(3);
  auto& w = h.w;
  w.manager->create(w.request("new", false), nullptr).wait(w.scope);
  auto row = w.find("demo")->row().clone();
  row.rest = Rest::STOPPED;
  w.store->commit(kj::mv(Change().update(kj::mv(row)).releaseMachine(h.id, 1)));
  w.driver.recordsAreDamaged = true;
  // The start comes before that is tried again.
  w.driver.failRemovals(1);
  w.restart();
  w.settle();
  CHECK(w.driver.isRunning(h.id));
  for (auto name : {"demo", "new"}) {
    auto outcome = w.find(name)->start(nullptr).wait(w.scope);
    CHECK(outcome.get<kj::Own<StartReport>>()->failure == nullptr);
  }
}

TEST_CASE("P41 what cannot be listed or removed keeps nobody from being served") {
  TestWorld w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  SECTION("disks that cannot be listed") {
    w.volumes.listing = FakeVolumeStore::Listing::FAILS;
    w.restart();
  }
  SECTION("a machine of nobody that does not end") {
    VmSpec stranger{};
    stranger.name = kj::str("0123");
    w.driver.start(kj::mv(stranger)).wait(w.scope);
    w.driver.failRemovals(2);
    w.restart();
    CHECK(w.driver.isRunning("0123"));
    w.advance(1 * kj::SECONDS);
    w.settle();
    CHECK(w.driver.isRunning("0123"));
    w.advance(2 * kj::SECONDS);
    w.settle();
    CHECK_FALSE(w.driver.isRunning("0123"));
  }
  CHECK(w.find("demo")->state() == WorkspaceState::RUNNING);
  CHECK(w.driver.isRunning(w.find("demo")->row().id));
}

TEST_CASE(
    "R20 records that nobody can read keep bothyd from giving user ids, and from nothing else") {
  const auto disksWork = GENERATE(true, false);
  LeaseHost h(2);
  auto& w = h.w;
  w.manager->create(w.request("new", false), nullptr).wait(w.scope);
  using Listing = FakeVolumeStore::Listing;
  w.volumes.listing = disksWork ? Listing::WORKS : Listing::FAILS;
  w.driver.listingsHang = true;
  auto recovered = w.beginAgain();
  w.settle();
  CHECK_FALSE(recovered.poll(w.scope));
  w.advance(Deadlines().disk);
  recovered.wait(w.scope);
  CHECK(w.find("demo")->state() == WorkspaceState::RUNNING);
  for (int tries = 0; tries < 3; ++tries) {
    CHECK(strstr(h.whyNotStarted("new").cStr(), "which user ids machines have cannot be read") !=
          nullptr);
    h.later();
    w.advance(Deadlines().disk);
  }
  w.volumes.listing = Listing::WORKS;
  w.driver.listingsHang = false;
  h.later();
  w.find("new")->start(nullptr).wait(w.scope);
  CHECK(w.lease("new").uid != h.uid);
}

TEST_CASE("P28 a new database where disks cannot be listed is not begun with") {
  TestWorld w;
  w.manager = nullptr;
  w.volumes.listing = FakeVolumeStore::Listing::FAILS;
  CHECK_THROWS(w.restart());
}

TEST_CASE("P28 a database that is new destroys no disk: bothyd says what to do") {
  TestWorld w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  w.manager = nullptr;
  w.events = nullptr;
  w.store = nullptr;
  REQUIRE(unlink(kj::str(w.directory, "/state.db").cStr()) == 0);
  KJ_IF_MAYBE (e, kj::runCatchingExceptions([&]() { w.restart(); })) {
    CHECK(strstr(e->getDescription().cStr(), "the database is new") != nullptr);
  } else {
    FAIL("it began anew over the disks of others");
  }
  CHECK(w.volumes.count() == 1);
  CHECK(w.keys.count() == 1);
  CHECK(w.driver.running().size() == 1);
}

TEST_CASE("P28 a database that is older destroys no disk that it does not know") {
  TestWorld w;
  w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
  w.keys.create("0123").wait(w.scope);
  w.volumes.create("0123", 1 << 20, w.keys.open("0123").wait(w.scope)).wait(w.scope);
  w.restart();
  w.settle();
  CHECK(w.volumes.count() == 2);
  CHECK(w.keys.count() == 2);
}

}  // namespace
}  // namespace bothy
