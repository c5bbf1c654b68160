#include "metering/host-moments.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

struct SetClock final: public kj::Clock {
  kj::Date date = kj::UNIX_EPOCH + 5 * kj::SECONDS;
  kj::Date now() const override { return date; }
};

TEST_CASE("a moment is called by the host's clock, and measured by one that nobody sets") {
  SetClock clock;
  HostMoments moments(clock);
  const auto before = moments.now();
  CHECK((before.boot != 0 && before.bootMillis > 0 && before.wallMillis == 5000));
  clock.date = kj::UNIX_EPOCH;
  const auto after = moments.now();
  CHECK((after.boot == before.boot && after.wallMillis == 0));
  CHECK(after.bootMillis >= before.bootMillis);
  CHECK(HostMoments(clock).now().boot == before.boot);
}

TEST_CASE("how long it was between moments") {
  CHECK(millisBetween({1, 10, 9000}, {1, 17, 0}, 1000) == 7);
  CHECK(millisBetween({1, 17, 0}, {1, 10, 9000}, 1000) == 0);
  // Of another boot only the host's clock tells.
  CHECK(millisBetween({1, 10, 300}, {2, 5, 900}, 1000) == 600);
  CHECK(millisBetween({1, 10, 300}, {2, 5, 90000}, 1000) == 1000);
  CHECK(millisBetween({1, 10, 300}, {2, 5, 200}, 1000) == 0);
}

}  // namespace
}  // namespace bothy
