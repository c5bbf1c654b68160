#include "machine/machine-leases.h"

#include <string.h>

#include <kj/debug.h>
#include <kj/vector.h>

#include <set>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr uint32_t FIRST_UID = 700000;
using Lease = MachineLeases::Lease;

struct SettableClock final: public kj::Clock {
  kj::Date date = kj::UNIX_EPOCH + 1000 * kj::DAYS;
  kj::Date now() const override { return date; }
};

// The leases of a host, and what its database has of them.
struct LeaseWorld {
  const uint32_t count;
  SettableClock clock;
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  kj::Vector<MachineRow> rows;
  kj::Own<MachineLeases> pool;

  explicit LeaseWorld(uint32_t count) : count(count) { restart(); }

  void restart() {
    pool = kj::heap<MachineLeases>(timer, clock, MachineLeases::Range{FIRST_UID, count});
    pool->enter(rows);
  }
  void pass(kj::Duration time) {
    timer.advanceTo(timer.now() + time);
    clock.date += time;
  }
  kj::Own<Lease> take() {
    auto outcome = pool->take();
    REQUIRE(outcome.is<kj::Own<Lease>>());
    return kj::mv(outcome.get<kj::Own<Lease>>());
  }
  kj::String whyNone() {
    auto outcome = pool->take();
    REQUIRE(outcome.is<MachineLeases::NoneFree>());
    return kj::mv(outcome.get<MachineLeases::NoneFree>().why);
  }
  // As a start does it: taken, and stored.
  uint32_t start() {
    auto lease = take();
    MachineRow row{lease->uid(), lease->cid(), kj::str("w", lease->uid())};
    pool->hold(row);
    auto uid = row.uid;
    KJ_IF_MAYBE (there, find(uid)) {
      *there = kj::mv(row);
    } else {
      rows.add(kj::mv(row));
    }
    return uid;
  }
  void stop(uint32_t uid) {
    auto& row = KJ_ASSERT_NONNULL(find(uid));
    pool->release(row);
    row.workspaceId = nullptr;
    row.releasedNanos = nanosOf(clock.now());
  }
  kj::Maybe<MachineRow&> find(uint32_t uid) {
    for (auto& row : rows) {
      if (row.uid == uid) return row;
    }
    return nullptr;
  }
};

TEST_CASE("S20 each of 10,000 machines has a user id and an address of its own") {
  LeaseWorld w(10000);
  std::set<uint32_t> uids, cids;
  kj::Vector<kj::Own<Lease>> leases;
  for (uint32_t i = 0; i < w.count; i++) {
    auto lease = w.take();
    CHECK((lease->uid() >= FIRST_UID && lease->uid() < FIRST_UID + w.count));
    CHECK(lease->cid() >= FIRST_CID);
    uids.insert(lease->uid());
    cids.insert(lease->cid());
    leases.add(kj::mv(lease));
  }
  CHECK((uids.size() == w.count && cids.size() == w.count));
  CHECK(w.pool->inUse() == w.count);
  CHECK(w.whyNone() ==
        "all 10000 user ids for machines are taken: stop a workspace, or raise uid-count");
  // What was not stored never had a machine.
  leases.removeLast();
  CHECK(w.take()->uid() == FIRST_UID + w.count - 1);
  leases.clear();
  CHECK(w.pool->inUse() == 0);
  CHECK(w.take()->uid() == FIRST_UID);
}

TEST_CASE("S20 a user id rests between two machines, and the one that rested longest is next") {
  LeaseWorld w(3);
  for (uint32_t i = 0; i < w.count; i++) CHECK(w.start() == FIRST_UID + i);
  w.stop(FIRST_UID + 1);
  w.pass(20 * kj::SECONDS);
  w.stop(FIRST_UID);
  w.pass(LEASE_REST - 20 * kj::SECONDS - 1 * kj::NANOSECONDS);
  CHECK(w.whyNone() ==
        "all 3 user ids for machines are taken, or rest for 1 more seconds: "
        "try again then, or raise uid-count");
  w.pass(1 * kj::NANOSECONDS);
  CHECK(w.start() == FIRST_UID + 1);
  CHECK(strstr(w.whyNone().cStr(), "rest for 20 more seconds") != nullptr);
  w.pass(20 * kj::SECONDS);
  CHECK(w.start() == FIRST_UID);
}

TEST_CASE("P28 a lease that the store refuses comes behind all others") {
  LeaseWorld w(2);
  for (uint32_t i = 0; i < w.count; i++) w.start();
  w.stop(FIRST_UID);
  w.stop(FIRST_UID + 1);
  w.pass(LEASE_REST);
  // One that was never stored comes first again.
  CHECK(w.take()->uid() == FIRST_UID);
  w.take()->setAside();
  CHECK(w.start() == FIRST_UID + 1);
  w.whyNone();
  w.pass(LEASE_REST);
  CHECK(w.start() == FIRST_UID);
}

TEST_CASE("S20 the rest of a user id goes on over a restart, whatever the clock does") {
  LeaseWorld w(2);
  w.start();
  w.start();
  w.stop(FIRST_UID + 1);
  w.pass(20 * kj::SECONDS);
  w.stop(FIRST_UID);
  SECTION("nothing") {
    w.pass(10 * kj::SECONDS);
    w.restart();
    w.pass(LEASE_REST - 30 * kj::SECONDS - 1 * kj::NANOSECONDS);
    w.whyNone();
    w.pass(1 * kj::NANOSECONDS);
    CHECK(w.start() == FIRST_UID + 1);
    w.whyNone();
    w.pass(20 * kj::SECONDS);
    CHECK(w.start() == FIRST_UID);
  }
  SECTION("it is set back: no rest is longer than it was") {
    w.clock.date -= 100 * kj::DAYS;
    w.restart();
    w.pass(LEASE_REST - 1 * kj::NANOSECONDS);
    w.whyNone();
    w.pass(1 * kj::NANOSECONDS);
    CHECK(w.start() == FIRST_UID + 1);
    CHECK(w.start() == FIRST_UID);
  }
  SECTION("what it said is damaged") {
    for (auto& row : w.rows) row.releasedNanos = row.uid == FIRST_UID ? INT64_MIN : INT64_MAX;
    w.restart();
    w.whyNone();
    w.pass(LEASE_REST);
    w.start();
  }
}

TEST_CASE("S20 what a workspace has when bothyd starts is given to no other") {
  LeaseWorld w(4);
  for (uint32_t i = 0; i < 3; i++) w.start();
  w.stop(FIRST_UID + 1);
  w.restart();
  CHECK(w.pool->inUse() == 2);
  CHECK(w.start() == FIRST_UID + 3);
  w.whyNone();
}

TEST_CASE("S25 an address of a lease of another range is given to no machine meanwhile") {
  LeaseWorld w(2);
  w.rows.add(MachineRow{1234, FIRST_CID, kj::str("old")});
  w.rows.add(MachineRow{1235, FIRST_CID + 1, nullptr});
  w.restart();
  CHECK(w.start() == FIRST_UID + 1);
  w.whyNone();
  w.stop(1234);
  w.pass(LEASE_REST);
  CHECK(w.start() == FIRST_UID);
}

TEST_CASE("S20 a user id of which no row tells is barred, and one that is unknown bars all") {
  LeaseWorld w(3);
  w.start();
  w.pool->bar("a", FIRST_UID);
  w.pool->bar("b", FIRST_UID + 1);
  w.pool->bar("c", 12);
  w.stop(FIRST_UID);
  w.pass(LEASE_REST);
  CHECK(w.start() == FIRST_UID + 2);
  w.whyNone();
  w.stop(FIRST_UID + 2);
  w.pass(LEASE_REST);
  w.pool->barAll("d", kj::str("unknown"));
  CHECK(w.whyNone() == "unknown");
  w.pool->lift("d");
  w.start();
}

TEST_CASE(
    "S20 what was barred for a machine rests once nothing is left of that, and is given then") {
  LeaseWorld w(2);
  w.start();
  w.pool->bar("a", FIRST_UID);
  w.pool->bar("b", FIRST_UID);
  w.pool->bar("c", FIRST_UID + 1);
  w.stop(FIRST_UID);
  SECTION("which was passed over") {
    w.pass(LEASE_REST);
    w.whyNone();
  }
  SECTION("which still rests") {
    w.pass(LEASE_REST / 2);
  }
  w.pool->lift("a");
  w.pool->lift("a");
  w.pass(LEASE_REST);
  w.whyNone();
  w.pool->lift("b");
  w.pool->lift("c");
  w.pass(LEASE_REST - 1 * kj::NANOSECONDS);
  w.whyNone();
  w.pass(1 * kj::NANOSECONDS);
  CHECK(w.start() == FIRST_UID);
  CHECK(w.start() == FIRST_UID + 1);
  w.whyNone();
  // Once, however often it was barred.
  w.stop(FIRST_UID);
  w.pass(LEASE_REST - 1 * kj::NANOSECONDS);
  w.whyNone();
}

TEST_CASE("S20 a machine and its disk may have different user ids, and both are barred") {
  LeaseWorld w(3);
  w.pool->bar("a", FIRST_UID);
  w.pool->bar("a", FIRST_UID + 1);
  w.pool->bar("a", FIRST_UID + 1);
  CHECK(w.start() == FIRST_UID + 2);
  w.whyNone();
  w.pool->lift("a");
  w.pass(LEASE_REST);
  CHECK(w.start() == FIRST_UID);
  CHECK(w.start() == FIRST_UID + 1);
}

TEST_CASE("S20 what is barred for the machine of a workspace is free with its lease") {
  LeaseWorld w(2);
  auto uid = w.start();
  w.pool->bar(kj::str("w", uid), FIRST_UID + 1);
  w.whyNone();
  w.stop(uid);
  w.pass(LEASE_REST);
  w.start();
  w.start();
}

}  // namespace
}  // namespace bothy
