// Workspaces whose files are destroyed, and that are made anew.

#include <kj/debug.h>

#include "workspace/test-world.h"

namespace bothy {
namespace {

using S = WorkspaceState;

struct Expiring: public TestWorld {
  Expiring() { manager->create(request("demo"), nullptr).wait(scope); }

  kj::Own<Workspace> demo() { return find("demo"); }
  void stop() { demo()->stop(0).wait(scope); }
  void expire() { REQUIRE(demo()->expire().wait(scope).is<Workspace::Expired>()); }
  bool hasKey(kj::StringPtr id) {
    bool opens = false;
    kj::evalNow([&]() { return keys.open(id); })
        .then([&](Secret) { opens = true; }, [](kj::Exception&&) {})
        .wait(scope);
    return opens;
  }
  void pass(int seconds) {
    for (int i = 0; i < seconds; i++) {
      settle();
      advance(1 * kj::SECONDS);
    }
    settle();
  }
};

TEST_CASE("P58 a workspace that has expired has no disk and no key, and all that it is made of") {
  Expiring w;
  w.stop();
  const auto id = kj::str(w.demo()->row().id);
  w.expire();
  CHECK((w.demo()->state() == S::EXPIRED && w.stored() == S::EXPIRED));
  CHECK((w.volumes.count() == 0 && !w.hasKey(id)));
  CHECK(w.manager->capacity().used() == Demand());
  CHECK((w.demo()->row().id == id && w.demo()->row().image == "base"));
  w.settle();
  CHECK(w.manager->objects() == 0);
  requireChain(w);
  auto events = w.store->events(0, 100);
  CHECK((events.back().before == S::EXPIRING && events.back().after == S::EXPIRED));
  CHECK(events.back().cause == Cause::REQUEST);
  // Once more.
  w.expire();
  SECTION("the same after a restart") {
    w.restart();
    CHECK(w.demo()->state() == S::EXPIRED);
    CHECK(w.manager->capacity().used() == Demand());
  }
  SECTION("it can be deleted") {
    w.volumes.failuresToDestroy = 1;
    auto erasing = w.demo()->erase();
    w.settle();
    CHECK(w.manager->capacity().used() == Demand());
    w.pass(5);
    CHECK(erasing.wait(w.scope).is<Workspace::Erased>());
    CHECK(w.manager->size() == 0);
  }
  SECTION("nothing else is done to it") {
    CHECK(w.demo()->resize(8192).wait(w.scope).is<Busy>());
    CHECK(w.demo()->pause().wait(w.scope).is<Busy>());
    CHECK(w.demo()->resume(nullptr).wait(w.scope).is<Busy>());
    CHECK(w.demo()->stop(0).wait(w.scope).get<StopKind>() == StopKind::ALREADY);
  }
}

TEST_CASE("P28 a start makes a workspace that has expired anew, under another key") {
  Expiring w;
  w.stop();
  const auto id = kj::str(w.demo()->row().id);
  auto before = w.keys.open(id).wait(w.scope);
  w.expire();
  bool isWoken = false;
  SECTION("a start") {}
  SECTION("a restart, then a start") {
    w.restart();
  }
  SECTION("whoever wakes it") {
    isWoken = true;
  }
  auto outcome = (isWoken ? w.demo()->wake(nullptr) : w.demo()->start(nullptr)).wait(w.scope);
  CHECK(outcome.get<kj::Own<StartReport>>()->failure == nullptr);
  CHECK((w.demo()->state() == S::RUNNING && w.demo()->row().id == id));
  auto after = w.keys.open(id).wait(w.scope);
  CHECK((w.volumes.opensWith(id, after) && !w.volumes.opensWith(id, before)));
  CHECK(w.volumes.bytes(id) == uint64_t{4096} << 20);
  CHECK(w.manager->capacity().used() == Demand{512, 1, 4096});
  requireChain(w);
}

TEST_CASE(
    "a workspace that is made anew is as large as a change of its tier has made it meanwhile") {
  Expiring w;
  w.stop();
  w.expire();
  TierWish wish;
  wish.isApplied = true;
  CHECK(w.manager->changeTier("demo", "pro", wish).wait(w.scope).is<Workspace::TierChanged>());
  CHECK(w.manager->capacity().used() == Demand());
  w.demo()->start(nullptr).wait(w.scope);
  CHECK(w.volumes.bytes(w.demo()->row().id) == uint64_t{10240} << 20);
  CHECK((w.demo()->row().diskMib == 10240 && w.demo()->row().nextDiskMib == 0));
  CHECK(w.manager->capacity().used() == Demand{2048, 2, 10240});
}

TEST_CASE("only what rests and has no machine expires") {
  Expiring w;
  CHECK(w.demo()->expire().wait(w.scope).get<Busy>().state == S::RUNNING);
  w.demo()->pause().wait(w.scope);
  CHECK(w.demo()->expire().wait(w.scope).get<Busy>().state == S::PAUSED);
  w.stop();
  w.expire();
}

TEST_CASE("P28 what is left of a machine goes before the disk does") {
  Expiring w;
  w.driver.failRemovals(2);
  w.driver.end(w.demo()->row().id, VmEnd::CRASHED);
  w.settle();
  REQUIRE(w.demo()->state() == S::FAILED);
  auto expiring = w.demo()->expire();
  w.pass(20);
  CHECK(expiring.wait(w.scope).is<Workspace::Expired>());
  CHECK((w.storedLeases() == 0 && w.volumes.count() == 0));
}

TEST_CASE("P28 an expiry that begins ends, over a restart and whatever refuses") {
  Expiring w;
  w.stop();
  w.volumes.failuresToDestroy = 3;
  auto one = w.demo()->expire(), two = w.demo()->expire();
  w.settle();
  REQUIRE(w.demo()->state() == S::EXPIRING);
  SECTION("it is tried again, and who asks joins it") {
    w.pass(20);
    CHECK(
        (one.wait(w.scope).is<Workspace::Expired>() && two.wait(w.scope).is<Workspace::Expired>()));
  }
  SECTION("bothyd is killed") {
    one = nullptr;
    two = nullptr;
    w.restart();
    w.pass(20);
  }
  SECTION("the call ends before it does") {
    w.volumes.failuresToDestroy = 1000;
    w.pass(120);
    CHECK(one.wait(w.scope).get<Underway>().state == S::EXPIRING);
    w.volumes.failuresToDestroy = 0;
    w.pass(120);
  }
  SECTION("a delete comes before its end") {
    w.volumes.failuresToDestroy = 0;
    CHECK(w.demo()->erase().wait(w.scope).is<Workspace::Erased>());
    CHECK(one.wait(w.scope).get<Superseded>().by == Wish::DELETE);
    CHECK(w.manager->size() == 0);
    return;
  }
  SECTION("a start waits for nobody") {
    CHECK(w.demo()->start(nullptr).wait(w.scope).is<Busy>());
    w.pass(20);
  }
  CHECK((w.demo()->state() == S::EXPIRED && w.volumes.count() == 0));
}

TEST_CASE("P28 a workspace that cannot be made anew has expired again") {
  Expiring w;
  w.stop();
  w.expire();
  SECTION("its disk cannot be made") {
    w.volumes.isFull = true;
    auto outcome = w.demo()->start(nullptr).wait(w.scope);
    KJ_IF_MAYBE (report, outcome.tryGet<kj::Own<StartReport>>()) {
      CHECK((*report)->failure != nullptr);
    } else {
      CHECK(outcome.is<Shortage>());
    }
    w.volumes.isFull = false;
  }
  SECTION("the host has too little left") {
    w.limits.capacity.diskMib = 1000;
    w.restart();
    CHECK(w.demo()->start(nullptr).wait(w.scope).is<Shortage>());
    CHECK(w.store->events(0, 100).back().after == S::EXPIRED);
    w.limits.capacity = {};
    w.restart();
  }
  w.settle();
  CHECK((w.demo()->state() == S::EXPIRED && w.volumes.count() == 0));
  CHECK(w.manager->size() == 1);
  requireChain(w);
  CHECK(w.demo()->start(nullptr).wait(w.scope).get<kj::Own<StartReport>>()->failure == nullptr);
}

TEST_CASE("P28 a workspace that was half made anew when bothyd was killed is made to the end") {
  Expiring w;
  w.stop();
  w.expire();
  for (auto step : {"room", "key", "disk"}) {
    if (w.demo()->state() != S::EXPIRED) {
      w.stop();
      w.expire();
    }
    if (kj::StringPtr(step) == "disk") w.keys.create(w.demo()->row().id).wait(w.scope);
    w.leave("demo", OperationKind::CREATE, step, "again");
    w.restart();
    w.pass(5);
    INFO(step);
    CHECK((w.demo()->state() == S::RUNNING && w.volumes.count() == 1));
  }
}

}  // namespace
}  // namespace bothy
