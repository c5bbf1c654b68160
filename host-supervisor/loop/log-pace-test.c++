#include "loop/log-pace.h"

#include <kj/timer.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr kj::Duration PERIOD = 1 * kj::SECONDS;

TEST_CASE("S08 so many lines go in a period, and the next tells how many were left out") {
  kj::TimerImpl timer(kj::origin<kj::TimePoint>());
  LogPace pace(timer, PERIOD, 3);
  for (int i = 0; i < 3; ++i) CHECK(pace.next().orDefault(99) == 0);
  for (int i = 0; i < 5; ++i) CHECK(pace.next() == nullptr);
  timer.advanceTo(timer.now() + PERIOD);
  CHECK(pace.next().orDefault(99) == 5);
  CHECK(pace.next().orDefault(99) == 0);
  CHECK(pace.next().orDefault(99) == 0);
  CHECK(pace.next() == nullptr);
}

}  // namespace
}  // namespace bothy
