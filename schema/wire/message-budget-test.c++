// What may be read.

#include "wire/message-budget.h"

#include <catch2/catch_test_macros.hpp>

#include "wire/testing/message-holders.h"

namespace bothy {
namespace {

constexpr auto CALL = MessageGuard::WAITING_CALL_BYTES;
constexpr auto WAIT = MessageGuard::MOST_WAIT;
constexpr auto LOOK = MessageBudget::LEAST_LOOK_BYTES;

TEST_CASE("S01 what a connection holds counts until it is done") {
  MessageBudget budget(MessageBudget::Limits{.maxBytes = kj::maxValue, .shareBytes = kj::maxValue});
  World w(Peer::ASKS, kj::maxValue, budget);
  auto& guard = w.guard;
  size_t queued = 950;
  guard.watchQueue([&]() { return queued; });
  CHECK(budget.total() == 950);
  CHECK(budget.unread() == 950);
  auto part = guard.untilRoomForPart(500);
  CHECK(budget.total() == 1450);
  queued = 0;
  w.addCall(1);
  CHECK(w.passes());
  const auto call = budget.total();
  CHECK(call > CALL);
  // A Finish is no answer.
  w.addFinish(1);
  CHECK(w.passes());
  CHECK(budget.total() == call);
  w.answer(1, 0);
  CHECK(budget.total() == 0);
}

TEST_CASE("S01 small messages are read whatever others hold, and whatever their own connection") {
  Holders w({.maxBytes = 1'000'000, .maxHolderBytes = 500'000, .shareBytes = 10'000});
  auto& modest = w.add("one");
  for (uint32_t i = 0; i < 3; i++) w.takeCall(modest, i, 7500);
  w.add("one", 600'000);
  w.add("two", 1'000'000);
  w.takeCall(modest, 4);
  w.passSlowly(2 * WAIT);
  for (auto& guard : w.guards) CHECK_FALSE(w.isEnded(*guard));
  // The rest of a large one has to wait.
  CHECK_FALSE(w.mayTake(modest, 0));
}

TEST_CASE("S01 calls that wait take nothing of a connection's share of messages") {
  Holders w({.maxBytes = 1'000'000, .shareBytes = 10'000, .shareCalls = 5});
  w.add("greedy", 1'000'000);
  auto& modest = w.add("modest");
  for (uint32_t i = 0; i < 4; i++) w.takeCall(modest, i, 3500);
  auto& large = w.add("large");
  w.takeCall(large, 1, MessageGuard::SMALL_CALL_BYTES + 3000);
  CHECK(w.mayTake(modest, 9'999));
  CHECK_FALSE(w.mayTake(modest, 10'000));
  // Large ones do, with what makes them large.
  CHECK(w.mayTake(large, 6'000));
  CHECK_FALSE(w.mayTake(large, 7'000));
}

TEST_CASE("S01 more calls than its share are taken of a connection while there is room") {
  Holders w({.maxBytes = 1'000'000, .shareBytes = 10'000, .shareCalls = 2});
  auto& modest = w.add("modest");
  w.takeCalls(modest, 3);
  auto& greedy = w.add("greedy", 1'000'000);
  CHECK_FALSE(modest.untilRoom().poll(w.scope));
  // It asks nobody to give, and does not end for it.
  auto room = modest.untilRoom();
  w.passSlowly(2 * WAIT);
  CHECK_FALSE(room.poll(w.scope));
  CHECK_FALSE(w.isEnded(modest));
  CHECK_FALSE(w.isEnded(greedy));
}

TEST_CASE("S01 connections of one holder have so much together, and nobody's are holders each") {
  Holders w({.maxBytes = 1'000'000,
             .maxHolderBytes = 300'000,
             .littleBytes = 100'000,
             .shareBytes = 10'000});
  w.add("alice", 300'000);
  auto& second = w.add("alice");
  CHECK_FALSE(w.mayTake(second, 10'000));
  CHECK(w.mayTake(second, 9'999));
  CHECK(w.mayTake(w.add("bob"), 200'000));
  w.add("", 290'000);
  CHECK(w.mayTake(w.add(""), 150'000));
  // All is used: from here on who has little.
  w.add("", 60'000);
  CHECK(w.mayTake(w.add(""), 90'000));
  CHECK_FALSE(w.mayTake(w.add(""), 100'000));
}

TEST_CASE("S01 a holder who has little is read though all is used up, up to what all may") {
  Holders w({.maxBytes = 1'000'000,
             .littleBytes = 100'000,
             .shareBytes = 10'000,
             .mostBytes = 1'150'000});
  auto& first = w.add("one");
  auto& second = w.add("one");
  auto& other = w.add("two");
  w.add("all", 1'000'000);
  CHECK(w.mayTake(first, 60'000));
  CHECK_FALSE(w.mayTake(second, 40'000));
  CHECK(w.mayTake(second, 39'999));
  CHECK(w.mayTake(other, 50'000));
  CHECK_FALSE(w.mayTake(w.add("three"), 10'000));
}

TEST_CASE("S01 where all hold more than there may be, the greatest of the holder of most ends") {
  constexpr size_t MOST = 8 * LOOK;
  Holders w({.maxBytes = 4 * LOOK, .shareBytes = LOOK, .mostBytes = MOST});
  // Each of its connections is among the smallest.
  for (int i = 0; i < 5; i++) w.add("many", LOOK - 1000);
  auto& greatest = w.add("many", LOOK);
  auto& single = w.add("single", LOOK + 1000);
  auto& growing = w.add("growing");
  w.add("single", LOOK);
  REQUIRE(w.budget.total() <= MOST);
  // It is looked for where something grows, and not where it is asked whether it may.
  CHECK(w.mayTake(growing, LOOK - 1));
  REQUIRE(w.budget.total() > MOST);
  single.untilRoom().poll(w.scope);
  CHECK_FALSE(w.isEnded(greatest));
  w.mayTake(growing, LOOK);
  for (auto& guard : w.guards) CHECK(w.isEnded(*guard) == (guard.get() == &greatest));
  CHECK(w.budget.total() <= MOST);
}

TEST_CASE("S01 calls without end come to no more than all may hold") {
  constexpr size_t MOST = 8 * LOOK;
  Holders w({.maxBytes = 4 * LOOK, .shareBytes = LOOK, .mostBytes = MOST});
  auto& modest = w.add("modest");
  w.takeCalls(modest, 20);
  auto& first = w.add("greedy");
  auto& second = w.add("greedy");
  const auto isOver = [&]() { return w.isEnded(first) || w.isEnded(second); };
  for (uint32_t i = 0; i < MOST / CALL && !isOver(); i++) {
    w.takeCall(first, i);
    if (!isOver()) w.takeCall(second, i);
    CHECK(w.budget.total() <= MOST + 3 * CALL);
  }
  CHECK(isOver());
  CHECK_FALSE(w.isEnded(modest));
  CHECK(w.mayTake(modest, 0));
}

}  // namespace
}  // namespace bothy
