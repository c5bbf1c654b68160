#include "machine/start-turn.h"

#include <kj/vector.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

// A start that ends when the test says so, under a clock of its own.
struct Fixture {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::TimerImpl clock{kj::origin<kj::TimePoint>()};
  MachineDeadlines deadlines;
  kj::Vector<kj::Maybe<size_t>> notices;
  StartTurn turn{clock, deadlines, [this](kj::Maybe<size_t> before) { notices.add(before); }};
  kj::PromiseFulfillerPair<kj::Own<RunningVm>> start =
      kj::newPromiseAndFulfiller<kj::Own<RunningVm>>();

  void pass(kj::Duration time) {
    scope.poll();
    clock.advanceTo(clock.now() + time);
    scope.poll();
  }

  static kj::String failure(kj::Promise<kj::Own<RunningVm>>& promise, kj::WaitScope& scope) {
    return promise
        .then([](auto) { return kj::str("none"); },
              [](kj::Exception&& e) { return kj::str(e.getDescription()); })
        .wait(scope);
  }
};

TEST_CASE(
    "P28 a start's deadline counts from its beginning, and the wait for its turn has one of its "
    "own") {
  Fixture f;
  f.turn.waits(3);
  auto limited = f.turn.limit(kj::mv(f.start.promise));
  f.pass(f.deadlines.turn - 1 * kj::SECONDS);
  CHECK_FALSE(limited.poll(f.scope));
  f.turn.begins();
  f.pass(f.deadlines.startVm - 1 * kj::SECONDS);
  CHECK_FALSE(limited.poll(f.scope));
  f.pass(1 * kj::SECONDS);
  REQUIRE(limited.poll(f.scope));
  CHECK(Fixture::failure(limited, f.scope) == "the machine could not be started within 60 s");
}

TEST_CASE("P28 a start that has no turn fails, and says so") {
  Fixture f;
  auto limited = f.turn.limit(kj::mv(f.start.promise));
  f.turn.waits(3);
  f.pass(f.deadlines.turn - 1 * kj::SECONDS);
  CHECK_FALSE(limited.poll(f.scope));
  f.pass(1 * kj::SECONDS);
  REQUIRE(limited.poll(f.scope));
  CHECK(Fixture::failure(limited, f.scope) ==
        "others started first, and the machine had no turn within 1800 s");
}

TEST_CASE("P28 who waits for a turn hears how many come first, at most once a second") {
  Fixture f;
  auto limited = f.turn.limit(kj::mv(f.start.promise));
  f.turn.waits(3);
  f.turn.waits(2);
  f.pass(1 * kj::SECONDS);
  f.turn.waits(1);
  f.turn.begins();
  REQUIRE(f.notices.size() == 3);
  CHECK(f.notices[0] == size_t(3));
  CHECK(f.notices[1] == size_t(1));
  CHECK(f.notices[2] == nullptr);
}

}  // namespace
}  // namespace bothy
