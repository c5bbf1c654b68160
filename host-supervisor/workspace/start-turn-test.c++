#include "workspace/start-turn.h"

#include <kj/vector.h>
#include <catch2/catch_test_macros.hpp>

#include "workspace/test-world.h"

namespace bothy {
namespace {

// A start that ends when the test says so, under a clock of its own.
struct Fixture {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::TimerImpl clock{kj::origin<kj::TimePoint>()};
  Deadlines deadlines;
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

// The stages of a start, as its caller hears of them.
class Stages final: public Progress {
public:
  explicit Stages(kj::Vector<kj::String>& heard) : heard(heard) {}
  void stage(Stage stage, kj::Duration, size_t before) override {
    heard.add(stage == Stage::WAITING ? kj::str("waiting, ", before, " before")
                                      : kj::str(static_cast<int>(stage)));
  }

private:
  kj::Vector<kj::String>& heard;
};

struct WaitingWorkspace {
  TestWorld w;
  kj::Vector<kj::String> heard;
  kj::Own<Workspace> workspace;

  WaitingWorkspace() {
    w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
    workspace = w.find("demo");
    w.driver.queueStarts(12);
  }
  kj::Promise<Workspace::StartOutcome> start() {
    auto starting = workspace->start(kj::Own<Progress>(kj::heap<Stages>(heard)));
    w.settle();
    return starting;
  }
};

TEST_CASE(
    "P28 a workspace that waits for its turn says so, and then starts, however long that was") {
  WaitingWorkspace s;
  auto starting = s.start();
  s.w.timer.advanceTo(s.w.timer.now() + Deadlines().turn - 1 * kj::SECONDS);
  s.w.settle();
  CHECK_FALSE(starting.poll(s.w.scope));
  s.w.driver.releaseStarts();
  starting.wait(s.w.scope);
  CHECK(s.workspace->state() == WorkspaceState::RUNNING);
  CHECK(kj::strArray(s.heard, "; ") == "1; waiting, 12 before; 1; 2; 3");
}

TEST_CASE("P28 a workspace whose turn does not come has failed, and says where") {
  WaitingWorkspace s;
  auto starting = s.start();
  s.w.timer.advanceTo(s.w.timer.now() + Deadlines().turn);
  auto outcome = starting.wait(s.w.scope);
  auto& failure = KJ_ASSERT_NONNULL(outcome.get<kj::Own<StartReport>>()->failure);
  CHECK(failure.stage == Stage::WAITING);
  CHECK(failure.fault == StartFault::OTHER);
  CHECK(failure.message == "others started first, and the machine had no turn within 1800 s");
}

TEST_CASE("P45 a workspace that waits for its turn is stopped at once") {
  WaitingWorkspace s;
  auto starting = s.start();
  s.workspace->stop(0).wait(s.w.scope);
  CHECK(starting.wait(s.w.scope).is<Superseded>());
  s.w.driver.releaseStarts();
  s.w.settle();
  CHECK(s.w.driver.running().size() == 0);
}

}  // namespace
}  // namespace bothy
