#include "wake/wake-table.h"

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr uid_t ALICE = 1000, BOB = 1001;
constexpr uint64_t HOUR = 3'600'000;

TEST_CASE("P26 a program takes a wake lock for a time, and no longer than its connection") {
  WakeTable table;
  CHECK(table.answer("hold 7200000 make -j8", ALICE, 5, 1000) == "ok 1\n");
  CHECK(table.answer("keep 3600000 ", ALICE, 6, 1000) == "ok 2\n");
  CHECK((table.isHeldBy(5) && !table.isHeldBy(6)));
  auto told = table.summary();
  CHECK((told.count == 2 && told.uid == ALICE && told.untilMillis == 2 * HOUR + 1000));
  CHECK(kj::StringPtr(told.label) == "make -j8");
  CHECK(table.answer("list", BOB, 7, 2000) ==
        "1 1000 7199000 hold make -j8\n2 1000 3599000 keep \nok 2\n");
  table.connectionEnded(6);
  table.connectionEnded(5);
  told = table.summary();
  CHECK((told.count == 1 && told.untilMillis == HOUR + 1000));
  CHECK(KJ_ASSERT_NONNULL(table.nextEnd()) == HOUR + 1000);
  table.pass(HOUR + 999);
  CHECK_FALSE(table.isEmpty());
  table.pass(HOUR + 1000);
  CHECK(table.isEmpty());
  CHECK(table.summary() == WakeSummary());
}

TEST_CASE("P26 a lock is released by whose it is, and by root") {
  WakeTable table;
  table.answer("keep 60000 a", ALICE, 1, 0);
  table.answer("keep 60000 b", BOB, 2, 0);
  table.answer("keep 60000 c", BOB, 3, 0);
  CHECK(table.answer("release 1", BOB, 4, 0) == "no this wake lock is somebody else's\n");
  CHECK(table.answer("release 9", BOB, 4, 0) ==
        "no there is no such wake lock, or it was over already\n");
  CHECK(table.answer("release x", BOB, 4, 0) == "no this is no number of a wake lock\n");
  CHECK(table.answer("release 2", BOB, 4, 0) == "ok 1\n");
  CHECK(table.answer("release all", BOB, 4, 0) == "ok 1\n");
  CHECK(table.summary().count == 1);
  CHECK(table.answer("release all", 0, 4, 0) == "ok 1\n");
}

TEST_CASE("S42 what is no request is refused, and what a user may have is bounded") {
  WakeTable table;
  CHECK(table.answer("", ALICE, 1, 0) == "no no such request\n");
  for (auto text : {"keep", "keep x", "keep 999", "keep 2592000001", "keep -5 a",
                    "keep 99999999999999999999"}) {
    CHECK(table.answer(text, ALICE, 1, 0) == "no the time must be 1 s to 720 h\n");
  }
  for (uint32_t i = 0; i < MOST_WAKES_OF_USER; i++) {
    CHECK(table.answer("keep 60000", ALICE, 1, 0).startsWith("ok"));
  }
  CHECK(table.answer("keep 60000", ALICE, 1, 0).startsWith("no you have 8 wake locks"));
  CHECK(table.answer("keep 60000", BOB, 1, 0).startsWith("ok"));
  for (uint32_t i = MOST_WAKES_OF_USER + 1; i < MOST_WAKES; i++) {
    CHECK(table.answer("keep 60000", 0, 1, 0).startsWith("ok"));
  }
  CHECK(table.answer("keep 60000", 0, 1, 0).startsWith("no this machine has 32 wake locks"));
  WakeTable other;
  auto label = kj::str("a\tb", kj::repeat('x', 200));
  other.answer(kj::str("keep 60000 ", label), ALICE, 1, 0);
  CHECK(kj::StringPtr(other.summary().label) == kj::str("a?b", kj::repeat('x', 61)));
}

}  // namespace
}  // namespace bothy
