#include "power/shutdown-schedule.h"

#include <kj/debug.h>
#include <stdlib.h>

#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <fstream>

#include "power/test-shutdown-steps.h"

namespace bothy {
namespace {

struct Fixture {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  FakeSteps steps;
  Power power{timer, steps};
  char directory[32] = "/tmp/bothy-schedule-XXXXXX";
  kj::String path;
  kj::Maybe<ShutdownSchedule> schedule;
  // How much the time of day is ahead of the timer.
  uint64_t ahead = 1000000000;

  Fixture() {
    KJ_ASSERT(mkdtemp(directory) != nullptr);
    path = kj::str(directory, "/shutdown");
    steps.everybodyLeaves();
    schedule.emplace(timer, power, path, [this]() { return now(); });
  }
  ~Fixture() { std::filesystem::remove_all(directory); }

  uint64_t now() { return ahead + (timer.now() - kj::origin<kj::TimePoint>()) / kj::MICROSECONDS; }
  void order(kj::StringPtr mode, kj::Duration in) {
    std::ofstream(path.cStr()) << "USEC=" << now() + in / kj::MICROSECONDS
                               << "\nMODE=" << mode.cStr() << "\n";
    reread();
  }
  void reread() {
    KJ_ASSERT_NONNULL(schedule).reread();
    scope.poll();
  }
  void pass(kj::Duration time) {
    timer.advanceTo(timer.now() + time);
    scope.poll();
  }
};

TEST_CASE("P45 an end at a later time comes then and not before") {
  Fixture f;
  f.order("reboot", 30 * kj::SECONDS);
  f.pass(30 * kj::SECONDS - 1 * kj::MICROSECONDS);
  CHECK(f.steps.history() == "");
  f.pass(1 * kj::MICROSECONDS);
  CHECK(f.steps.history() == "TERM KILL reboot");
}

TEST_CASE("a later order takes the place of an earlier one, and both can be taken back") {
  Fixture f;
  f.order("poweroff", 10 * kj::SECONDS);
  f.order("poweroff", 20 * kj::SECONDS);
  f.pass(19 * kj::SECONDS);
  CHECK(f.steps.history() == "");
  std::filesystem::remove(f.path.cStr());
  f.reread();
  f.pass(100 * kj::SECONDS);
  CHECK(f.steps.history() == "");
}

TEST_CASE("a time that has passed is now") {
  Fixture f;
  f.order("halt", -10 * kj::SECONDS);
  CHECK(f.steps.history() == "TERM KILL off");
}

TEST_CASE("a clock that is set while an end is awaited is seen") {
  Fixture f;
  f.order("poweroff", 3600 * kj::SECONDS);
  f.pass(CLOCK_CHECK);
  f.ahead += 2 * 3600 * 1000000ull;
  CHECK(f.steps.history() == "");
  f.pass(CLOCK_CHECK);
  CHECK(f.steps.history() == "TERM KILL off");
}

TEST_CASE("text that is no order is none") {
  for (auto text : {"", "USEC=1\n", "MODE=reboot\n", "USEC=x\nMODE=reboot\n",
                    "USEC=1\nMODE=kexec\n", "USEC=99999999999999999999999\nMODE=reboot\n"}) {
    INFO(text);
    CHECK(parseSchedule(text) == nullptr);
  }
  auto end = KJ_ASSERT_NONNULL(parseSchedule("USEC=5\n WARN_WALL=1\nMODE=halt\n"));
  CHECK(end.unixMicros == 5);
  CHECK(end.ending == Ending::POWER_OFF);
}

}  // namespace
}  // namespace bothy
