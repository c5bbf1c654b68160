#include "wire/message-part.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr auto LIMIT = MessagePart::MOST_STANDSTILL;
constexpr auto LEAST = MessagePart::LEAST_BYTES;
constexpr auto SECOND = 1 * kj::SECONDS;

struct Coming {
  kj::TimePoint now = kj::origin<kj::TimePoint>();
  MessagePart part;

  void await(size_t bytes) {
    part.grow(bytes);
    part.await(now);
  }
  bool standsStillAfter(kj::Duration time) {
    now += time;
    return part.isStandingStill(now);
  }
};

TEST_CASE("S01 a part stands still whose peer sends less than it must, from the first on") {
  Coming w;
  CHECK_FALSE(w.part.hasBegun());
  w.await(0);
  CHECK(w.part.hasBegun());
  CHECK_FALSE(w.standsStillAfter(LIMIT - SECOND));
  // Slowly, but it comes.
  w.await(LEAST);
  CHECK_FALSE(w.standsStillAfter(LIMIT - SECOND));
  w.await(2 * LEAST);
  w.await(3 * LEAST - 1);
  CHECK_FALSE(w.standsStillAfter(LIMIT - SECOND));
  w.await(3 * LEAST - 1);
  CHECK(w.standsStillAfter(SECOND));
  w.await(3 * LEAST);
  CHECK_FALSE(w.standsStillAfter(0 * SECOND));
}

TEST_CASE(
    "S01 a part that is held up does not stand still, and has the rest of its time after it") {
  Coming w;
  w.await(100);
  CHECK_FALSE(w.standsStillAfter(LIMIT - SECOND));
  w.part.grow(200);
  w.part.holdUp(w.now);
  CHECK_FALSE(w.standsStillAfter(10 * LIMIT));
  CHECK(w.part.heldUpFor(w.now) == 10 * LIMIT);
  w.part.await(w.now);
  CHECK(w.part.heldUpFor(w.now) == 0 * SECOND);
  CHECK(w.standsStillAfter(SECOND));
}

TEST_CASE("S01 a part that is held up anew is so from then on") {
  Coming w;
  w.part.holdUp(w.now);
  w.now += SECOND;
  w.part.holdUp(w.now);
  w.now += SECOND;
  CHECK(w.part.heldUpFor(w.now) == SECOND);
}

}  // namespace
}  // namespace bothy
