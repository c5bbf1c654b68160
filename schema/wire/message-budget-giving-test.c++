// Who ends where others wait for room.

#include "wire/message-budget.h"

#include <catch2/catch_test_macros.hpp>

#include "wire/testing/message-holders.h"

namespace bothy {
namespace {

constexpr auto CALL = MessageGuard::WAITING_CALL_BYTES;
constexpr auto LIMIT = MessageGuard::MOST_STANDSTILL;
constexpr auto WAIT = MessageGuard::MOST_WAIT;
constexpr auto LEAST = MessagePart::LEAST_BYTES;

TEST_CASE("S01 a message that stands still ends its connection where another waits for long") {
  Holders w({.maxBytes = 1'000'000, .shareBytes = 10'000});
  auto& standing = w.add("one");
  auto& less = w.add("two");
  auto& waiting = w.add("three");
  CHECK(w.mayTake(standing, 600'000));
  CHECK(w.mayTake(less, 380'000));
  // While nobody wants it, it may.
  w.pass(100 * LIMIT);
  CHECK(w.mayTake(waiting, 10'000));
  w.want(waiting, 20'000);
  w.passSlowly(LIMIT - 1 * kj::SECONDS);
  CHECK_FALSE(w.isEnded(standing));
  w.passSlowly(2 * kj::SECONDS);
  CHECK(w.isEnded(standing));
  CHECK(standing.whyEnded() != nullptr);
  CHECK(w.rooms.back().poll(w.scope));
  CHECK_FALSE(standing.untilRoom().poll(w.scope));
  CHECK(w.budget.total() == 400'000);
  // One end was enough.
  CHECK_FALSE(w.isEnded(less));
}

TEST_CASE("S01 a message that is held up does not stand still") {
  Holders w({.maxBytes = 1'000'000, .shareBytes = 10'000});
  size_t queued = 900'000;
  w.add("one").watchQueue([&]() { return queued; });
  auto& heldUp = w.add("two");
  auto& other = w.add("three");
  CHECK(w.mayTake(heldUp, 50'000));
  w.pass(LIMIT - 1 * kj::SECONDS);
  w.want(heldUp, 100'000);
  w.want(other, 20'000);
  w.passSlowly(WAIT - 1 * kj::SECONDS);
  CHECK_FALSE(w.isEnded(heldUp));
  queued = 0;
  w.pass(MessageGuard::MOST_QUEUE_PAUSE);
  for (auto& room : w.rooms) CHECK(room.poll(w.scope));
  // The rest of its own time.
  queued = 900'000;
  w.pass(1 * kj::SECONDS);
  w.want(other, 30'000);
  w.passSlowly(LIMIT + 1 * kj::SECONDS);
  CHECK(w.isEnded(heldUp));
  CHECK_FALSE(w.isEnded(other));
}

TEST_CASE("S01 a message within its share may stand still, whatever others want") {
  Holders w({.maxBytes = 100'000, .shareBytes = 10'000});
  auto& stopped = w.add("one");
  w.add("one", 95'000);
  CHECK(w.mayTake(stopped, 9'000));
  w.pass(LIMIT);
  w.want(w.add("two"), 20'000);
  w.passSlowly(WAIT - 1 * kj::SECONDS);
  CHECK_FALSE(w.isEnded(stopped));
}

TEST_CASE("S01 a whole message begins its time anew") {
  Holders w({.maxBytes = 100'000, .shareBytes = 10'000});
  auto& sending = w.add("one");
  CHECK(w.mayTake(sending, 20'000));
  w.pass(LIMIT);
  w.takeCall(sending, 1);
  CHECK(w.mayTake(sending, 60'000));
  w.want(w.add("two"), 30'000);
  w.passSlowly(LIMIT - 1 * kj::SECONDS);
  CHECK_FALSE(w.isEnded(sending));
  w.passSlowly(2 * kj::SECONDS);
  CHECK(w.isEnded(sending));
}

TEST_CASE("S01 answers that nobody reads end their connection where another waits for long") {
  Holders w({.maxBytes = 20 * LEAST, .shareBytes = 10'000});
  auto& unread = w.addDeaf("one", 19 * LEAST);
  // Of what each may have whatever the others do, nobody has to give.
  auto& little = w.addDeaf("two", 0);
  auto& waiting = w.add("three");
  w.want(waiting, LEAST);
  w.passSlowly(LIMIT - 1 * kj::SECONDS);
  CHECK_FALSE(w.isEnded(unread));
  w.passSlowly(2 * kj::SECONDS);
  CHECK(w.isEnded(unread));
  CHECK(w.rooms.back().poll(w.scope));
  CHECK_FALSE(w.isEnded(little));
}

TEST_CASE("S01 a write has the time that a slow reader needs for its bytes") {
  constexpr size_t BYTES = 2 * LEAST;
  Holders w({.maxBytes = BYTES, .shareBytes = 10'000});
  capnp::MallocMessageBuilder message;
  message.initRoot<Message>().initReturn().initResults().getContent().initAs<capnp::Data>(BYTES);
  auto& slow = w.addDeaf("one", 0);
  w.writes.add(slow.writeMessage(nullptr, message.getSegmentsForOutput()));
  auto& waiting = w.add("two");
  w.want(waiting, 20'000);
  w.passSlowly(WAIT + 1 * kj::SECONDS);
  CHECK_FALSE(w.isEnded(slow));
  CHECK(w.isEnded(waiting));
  w.want(w.add("three"), 20'000);
  w.passSlowly(LIMIT + 1 * kj::SECONDS);
  CHECK(w.isEnded(slow));
}

TEST_CASE("S01 who moves does not give, and who waits in vain ends") {
  Holders w({.maxBytes = 1'000'000, .shareBytes = 10'000});
  // None of two large messages can come whole.
  auto& first = w.add("first");
  auto& second = w.add("second");
  auto& unread = w.add("many", 60'000);
  CHECK(w.mayTake(second, 400'000));
  w.want(first, 600'000);
  w.pass(1 * kj::SECONDS);
  w.want(second, 410'000);
  w.passSlowly(WAIT - 2 * kj::SECONDS);
  for (auto& guard : w.guards) CHECK_FALSE(w.isEnded(*guard));
  w.passSlowly(2 * kj::SECONDS);
  CHECK(w.isEnded(first));
  CHECK(w.rooms.back().poll(w.scope));
  CHECK_FALSE(w.isEnded(second));
  CHECK_FALSE(w.isEnded(unread));
}

TEST_CASE("S01 within one holder only those that stand still give") {
  Holders w({.maxBytes = 10'000'000, .maxHolderBytes = 1'000'000, .shareBytes = 10'000});
  w.takeCalls(w.add("one"), 20);
  w.add("one", 740'000);
  auto& standing = w.add("one");
  CHECK(w.mayTake(standing, 50'000));
  const auto endedOf = [&]() {
    size_t count = 0;
    for (auto& guard : w.guards) count += w.isEnded(*guard);
    return count;
  };
  SECTION("where they are enough") {
    w.want(w.add("one"), 20'000);
    w.passSlowly(LIMIT + 1 * kj::SECONDS);
    CHECK(w.isEnded(standing));
    CHECK(w.rooms.back().poll(w.scope));
    CHECK(endedOf() == 1);
  }
  SECTION("and else who waits ends, also where a holder above its bound waits for others") {
    auto& more = w.add("one", 300'000);
    auto& other = w.add("two");
    CHECK(w.mayTake(other, 500'000));
    auto& waiting = w.add("one");
    w.want(waiting, 20'000);
    w.passSlowly(WAIT + 1 * kj::SECONDS);
    CHECK(w.isEnded(waiting));
    CHECK(w.isEnded(standing));
    CHECK_FALSE(w.isEnded(more));
    CHECK_FALSE(w.isEnded(other));
    CHECK(endedOf() == 2);
  }
}

TEST_CASE("S01 a holder above its bound gives to others, by calls too, the greatest first") {
  Holders w({.maxBytes = 60 * CALL, .maxHolderBytes = 45 * CALL, .shareBytes = 10'000});
  auto& less = w.add("greedy");
  w.takeCalls(less, 25);
  auto& most = w.add("greedy");
  w.takeCalls(most, 30);
  auto& honest = w.add("honest");
  w.takeCalls(honest, 20);
  auto& waiting = w.add("waiting");
  w.want(waiting, 20'000);
  w.passSlowly(LIMIT + 1 * kj::SECONDS);
  CHECK(w.isEnded(most));
  CHECK_FALSE(w.isEnded(less));
  CHECK_FALSE(w.isEnded(honest));
  CHECK(w.rooms.back().poll(w.scope));
}

TEST_CASE("S01 who holds more than another does not make it give, though it stands still") {
  Holders w({.maxBytes = 1'000'000, .shareBytes = 10'000});
  auto& honest = w.add("honest");
  CHECK(w.mayTake(honest, 100'000));
  w.add("greedy", 950'000);
  auto& waiting = w.add("greedy");
  w.want(waiting, 20'000);
  w.passSlowly(WAIT + 1 * kj::SECONDS);
  CHECK(w.isEnded(waiting));
  CHECK_FALSE(w.isEnded(honest));
}

TEST_CASE("S01 who waits for itself waits for nobody else, and ends for nobody") {
  Holders w({.maxBytes = 1'000'000, .shareBytes = 10'000});
  size_t queued = 2000;
  auto& slow = w.add("slow", 0, 1000);
  slow.watchQueue([&]() { return queued; });
  auto& standing = w.add("other");
  CHECK(w.mayTake(standing, 900'000));
  w.want(slow, 20'000);
  w.passSlowly(2 * WAIT);
  CHECK_FALSE(w.isEnded(slow));
  // Nor is its time from before that of its wait for others.
  w.add("other", 100'000);
  queued = 0;
  w.passSlowly(LIMIT - 1 * kj::SECONDS);
  CHECK_FALSE(w.isEnded(standing));
  w.passSlowly(2 * kj::SECONDS);
  CHECK(w.isEnded(standing));
  CHECK_FALSE(w.isEnded(slow));
}

TEST_CASE("S01 who waits for what others hold ends, whoever holds most when it is looked") {
  Holders w({.maxBytes = 1'000'000, .shareBytes = 10'000});
  size_t ofOwn = 600'000, ofOther = 500'000;
  w.add("own").watchQueue([&]() { return ofOwn; });
  w.add("other").watchQueue([&]() { return ofOther; });
  auto& waiting = w.add("own");
  w.want(waiting, 20'000);
  w.passSlowly(LIMIT);
  ofOwn = 0;
  ofOther = 1'000'000;
  w.passSlowly(LIMIT + 1 * kj::SECONDS);
  CHECK(w.isEnded(waiting));
}

}  // namespace
}  // namespace bothy
