#pragma once

#include <kj/debug.h>

#include <catch2/catch_test_macros.hpp>

#include "store/usage-store.h"

namespace bothy {

// What holds for every UsageStore that is new, as sections of one test case.
class UsageContract final {
public:
  UsageContract(kj::WaitScope& scope, UsageStore& store) : scope(scope), store(store) {}

  void check() {
    auto stored = store.begin().wait(scope);
    CHECK((stored.isNew && stored.eventsThrough == 0 && stored.lastNumber == 0));
    CHECK(stored.polled.size() == 0);
    checkMeters();
    checkRecords();
  }

  static MeterRow meter(kj::StringPtr id, bool isPolled, int64_t due = INT64_MAX) {
    MeterRow row;
    row.workspaceId = kj::str(id);
    row.workspace = kj::str("name of ", id);
    row.state = isPolled ? WorkspaceState::RUNNING : WorkspaceState::STOPPED;
    row.memoryMib = 512;
    row.diskMib = 4'000'000'000;
    row.through = {-7, 8, 9};
    row.machine = uint64_t{1} << 60;
    row.machineMicros = 11;
    row.fromMillis = 12;
    row.open = sums(100);
    row.isSteady = !isPolled;
    row.isPolled = isPolled;
    row.dueMillis = due;
    row.user = kj::str("user of ", id);
    return row;
  }
  static UsageRecord record(uint64_t number, kj::StringPtr id, int64_t from) {
    return {number,    kj::str(id), kj::str("name of ", id), from,
            from + 10, sums(from),  kj::str("user of ", id)};
  }

private:
  kj::WaitScope& scope;
  UsageStore& store;

  static UsageSums sums(int64_t n) {
    return {n, n + 1, n + 2, n + 3, n + 4, n + 5, n + 6, n + 7, INT64_MAX - n};
  }
  kj::Array<MeterRow> of(kj::StringPtr id) {
    return store.meters(kj::arr(kj::str(id))).wait(scope);
  }

  void checkMeters() {
    SECTION("a meter is there with all of it, is put anew, and goes") {
      UsageChange change;
      change.meters.add(meter("a", true));
      change.meters.add(meter("b", false, 50));
      change.eventsThrough = 33;
      change.at = {1, 2, 3};
      store.commit(kj::mv(change)).wait(scope);
      auto stored = store.begin().wait(scope);
      CHECK((!stored.isNew && stored.eventsThrough == 33 && stored.lastNumber == 0));
      CHECK((stored.at.boot == 1 && stored.at.bootMillis == 2 && stored.at.wallMillis == 3));
      REQUIRE(stored.polled.size() == 1);
      auto& a = stored.polled[0];
      CHECK((a.workspaceId == "a" && a.workspace == "name of a" && a.isPolled && !a.isSteady));
      CHECK((a.state == WorkspaceState::RUNNING && a.memoryMib == 512));
      CHECK(a.diskMib == 4'000'000'000);
      CHECK((a.through.boot == -7 && a.through.bootMillis == 8 && a.through.wallMillis == 9));
      CHECK((a.machine == uint64_t{1} << 60 && a.machineMicros == 11 && a.fromMillis == 12));
      CHECK(a.open == sums(100));
      CHECK(a.dueMillis == INT64_MAX);
      REQUIRE(of("b").size() == 1);
      CHECK((of("b")[0].isSteady && of("b")[0].dueMillis == 50));
      CHECK(of("none").size() == 0);

      UsageChange next;
      auto b = meter("b", true);
      b.open = sums(7);
      next.meters.add(kj::mv(b));
      next.removed.add(kj::str("a"));
      store.commit(kj::mv(next)).wait(scope);
      CHECK(of("a").size() == 0);
      CHECK(of("b")[0].open == sums(7));
      CHECK(store.begin().wait(scope).polled.size() == 1);
    }
    SECTION("meters are listed by id or name, page by page, and by when they are due") {
      UsageChange change;
      for (auto id : {"d", "b", "c"}) change.meters.add(meter(id, false, 100 + id[0]));
      change.meters.add(meter("a", true, 1));
      store.commit(kj::mv(change)).wait(scope);
      auto page = store.metersAfter(nullptr, 2, nullptr, nullptr).wait(scope);
      REQUIRE(page.size() == 2);
      CHECK((page[0].workspaceId == "a" && page[1].workspaceId == "b"));
      page = store.metersAfter("b", 5, nullptr, nullptr).wait(scope);
      REQUIRE(page.size() == 2);
      CHECK(page[1].workspaceId == "d");
      for (auto wanted : {"c"_kj, "name of c"_kj}) {
        page = store.metersAfter(nullptr, 5, wanted, nullptr).wait(scope);
        REQUIRE(page.size() == 1);
        CHECK(page[0].workspaceId == "c");
      }
      for (auto wanted : {""_kj, "c"_kj}) {
        page = store.metersAfter(nullptr, 5, wanted, "user of c").wait(scope);
        REQUIRE(page.size() == 1);
        CHECK((page[0].workspaceId == "c" && page[0].user == "user of c"));
      }
      CHECK(store.metersAfter(nullptr, 5, "d", "user of c").wait(scope).size() == 0);
      auto due = store.dueMeters(100 + 'c', 5).wait(scope);
      REQUIRE(due.size() == 2);
      CHECK((due[0].workspaceId == "b" && due[1].workspaceId == "c"));
      CHECK(store.dueMeters(1000, 1).wait(scope).size() == 1);
    }
  }

  void checkRecords() {
    SECTION("records are read from a cursor on, and by workspace and time") {
      UsageChange change;
      for (uint64_t i = 1; i <= 6; i++) {
        change.records.add(record(i, i % 2 == 0 ? "a" : "b", static_cast<int64_t>(i) * 10));
      }
      store.commit(kj::mv(change)).wait(scope);
      CHECK(store.begin().wait(scope).lastNumber == 6);
      auto page = store.records({2, 3}).wait(scope);
      REQUIRE(page.records.size() == 3);
      auto& third = page.records[0];
      CHECK((third.number == 3 && third.workspaceId == "b" && third.workspace == "name of b"));
      CHECK((third.fromMillis == 30 && third.untilMillis == 40));
      CHECK(third.sums == sums(30));
      CHECK((page.records[2].number == 5 && page.first == 1));
      CHECK(store.records({6}).wait(scope).records.size() == 0);
      CHECK(store.records({UINT64_MAX}).wait(scope).records.size() == 0);
      for (auto wanted : {"a"_kj, "name of a"_kj}) {
        auto some = store.records({0, 10, kj::str(wanted), 25, 60}).wait(scope).records;
        REQUIRE(some.size() == 2);
        CHECK((some[0].number == 2 && some[1].number == 4));
      }
    }
    SECTION("records of a user are those of all that he has, or of one of them") {
      UsageChange change;
      for (uint64_t i = 1; i <= 4; i++) {
        auto each = record(i, i % 2 == 0 ? "a" : "b", 10);
        each.user = kj::str(i == 4 ? "" : "alice");
        change.records.add(kj::mv(each));
      }
      store.commit(kj::mv(change)).wait(scope);
      auto of = [&](kj::StringPtr user, kj::StringPtr workspace) {
        UsageQuery query;
        query.user = kj::str(user);
        query.workspace = kj::str(workspace);
        return store.records(kj::mv(query)).wait(scope).records;
      };
      REQUIRE(of("alice", "").size() == 3);
      CHECK(of("alice", "")[2].user == "alice");
      CHECK(of("alice", "a").size() == 1);
      CHECK(of("bob", "").size() == 0);
    }
    SECTION("what is stored twice is there once, and what is old goes, but for its number") {
      for (int i = 0; i < 2; i++) {
        UsageChange change;
        change.records.add(record(1, "a", 10));
        change.records.add(record(2, "a", 20));
        store.commit(kj::mv(change)).wait(scope);
      }
      CHECK(store.records({}).wait(scope).records.size() == 2);
      UsageChange change;
      change.keepFromMillis = 30;
      store.commit(kj::mv(change)).wait(scope);
      auto page = store.records({}).wait(scope);
      REQUIRE(page.records.size() == 1);
      CHECK((page.records[0].number == 2 && page.first == 2));
      UsageChange last;
      last.keepFromMillis = 1000;
      store.commit(kj::mv(last)).wait(scope);
      CHECK(store.records({}).wait(scope).first == 0);
      CHECK(store.begin().wait(scope).lastNumber == 2);
    }
  }
};

}  // namespace bothy
