#include "power/power.h"

#include <catch2/catch_test_macros.hpp>

#include "power/test-shutdown-steps.h"

namespace bothy {
namespace {

struct Fixture {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  FakeSteps steps;
  Power power{timer, steps};

  void pass(kj::Duration time) {
    scope.poll();
    timer.advanceTo(timer.now() + time);
    scope.poll();
  }
};

TEST_CASE("a machine whose processes end at once goes off without waiting for the grace") {
  Fixture f;
  f.power.end(Ending::POWER_OFF, 10 * kj::SECONDS);
  f.scope.poll();
  CHECK(f.steps.history() == "TERM");
  f.steps.everybodyLeaves();
  f.scope.poll();
  CHECK(f.steps.history() == "TERM KILL off");
}

TEST_CASE("a stubborn process is killed after the grace, not before") {
  Fixture f;
  f.power.end(Ending::POWER_OFF, 10 * kj::SECONDS);
  f.pass(10 * kj::SECONDS - 1 * kj::NANOSECONDS);
  CHECK(f.steps.history() == "TERM");
  f.pass(1 * kj::NANOSECONDS);
  CHECK(f.steps.history() == "TERM KILL");
  f.steps.everybodyLeaves();
  f.scope.poll();
  CHECK(f.steps.history() == "TERM KILL off");
}

TEST_CASE("a process that even SIGKILL does not end holds the machine for a limited time") {
  Fixture f;
  f.power.end(Ending::REBOOT, 0 * kj::SECONDS);
  f.scope.poll();
  CHECK(f.steps.history() == "TERM KILL");
  f.pass(KILL_LIMIT);
  CHECK(f.steps.history() == "TERM KILL reboot");
}

TEST_CASE("P45 whoever waits for a program is answered before the end, for a limited time") {
  Fixture f;
  f.steps.isHeld = true;
  f.power.end(Ending::REBOOT, 10 * kj::SECONDS);
  f.steps.everybodyLeaves();
  f.pass(ANSWER_LIMIT - 1 * kj::NANOSECONDS);
  CHECK(f.steps.history() == "TERM KILL");
  f.pass(1 * kj::NANOSECONDS);
  CHECK(f.steps.history() == "TERM KILL reboot");
}

TEST_CASE("a second order shortens the grace") {
  Fixture f;
  f.power.end(Ending::POWER_OFF, 100 * kj::SECONDS);
  f.pass(5 * kj::SECONDS);
  f.power.end(Ending::REBOOT, 1 * kj::SECONDS);
  f.pass(1 * kj::SECONDS);
  f.steps.everybodyLeaves();
  f.scope.poll();
  CHECK(f.steps.history() == "TERM KILL off");
}

TEST_CASE("a second order never lengthens the grace") {
  Fixture f;
  f.power.end(Ending::POWER_OFF, 2 * kj::SECONDS);
  f.scope.poll();
  f.power.end(Ending::POWER_OFF, 100 * kj::SECONDS);
  f.pass(2 * kj::SECONDS);
  CHECK(f.steps.history() == "TERM KILL");
}

TEST_CASE("P45 two orders at once end the machine, after the shorter grace") {
  Fixture f;
  // Nothing happens between them: they came in one message, or on two lanes.
  f.power.end(Ending::POWER_OFF, 30 * kj::SECONDS);
  f.power.end(Ending::REBOOT, 0 * kj::SECONDS);
  f.scope.poll();
  CHECK(f.steps.history() == "TERM KILL");
  f.steps.everybodyLeaves();
  f.scope.poll();
  CHECK(f.steps.history() == "TERM KILL off");
}

TEST_CASE("P45 orders that come at any point of the ending change no more than the grace") {
  Fixture f;
  auto orders = [&]() {
    f.power.end(Ending::REBOOT, 20 * kj::SECONDS);
    f.power.end(Ending::REBOOT, 10 * kj::SECONDS);
    f.power.end(Ending::REBOOT, 10 * kj::SECONDS);
  };
  f.power.end(Ending::POWER_OFF, 30 * kj::SECONDS);
  orders();
  f.scope.poll();
  orders();
  f.pass(10 * kj::SECONDS);
  CHECK(f.steps.history() == "TERM KILL");
  orders();
  f.pass(KILL_LIMIT);
  orders();
  f.scope.poll();
  CHECK(f.steps.history() == "TERM KILL off");
}

TEST_CASE("no program is started from the order on") {
  Fixture f;
  CHECK(f.steps.refusals == 0);
  f.power.end(Ending::POWER_OFF, 10 * kj::SECONDS);
  CHECK(f.steps.refusals == 1);
  f.power.end(Ending::POWER_OFF, 1 * kj::SECONDS);
  CHECK(f.steps.refusals == 1);
}

TEST_CASE("no grace is longer than the longest") {
  Fixture f;
  f.power.end(Ending::POWER_OFF, 4000 * kj::SECONDS);
  f.pass(MAX_GRACE);
  CHECK(f.steps.history() == "TERM KILL");
}

}  // namespace
}  // namespace bothy
