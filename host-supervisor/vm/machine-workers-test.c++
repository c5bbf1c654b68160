#include "vm/machine-workers.h"

#include <kj/async-io.h>
#include <kj/vector.h>
#include <catch2/catch_test_macros.hpp>

#include "loop/worker-thread.h"

namespace bothy {
namespace {

constexpr kj::Duration LIMIT = 60 * kj::SECONDS;
constexpr MachineWorkers::Limits LIMITS{.threads = 2,
                                        .patience = 3 * kj::SECONDS,
                                        .slowCalls = 2,
                                        .wait = 1000 * kj::SECONDS,
                                        .waiting = 200,
                                        .waitingOfMachine = 20};

// What a call hears of its turn.
struct Turn final: public TurnListener {
  void waits(size_t before) override { heard.add(kj::str(before)); }
  void begins() override { heard.add(kj::str("begins")); }
  kj::Vector<kj::String> heard;
};

// Workers under a clock of its own, and calls that last until the test ends them.
struct Fixture {
  struct State {
    kj::Vector<kj::String> began;
    kj::Vector<kj::String> mayEnd;
    size_t underWay = 0;
    size_t mostUnderWay = 0;
    bool mayAllEnd = false;

    bool mayItEnd(kj::StringPtr name) const {
      if (mayAllEnd) return true;
      for (auto& candidate : mayEnd) {
        if (candidate == name) return true;
      }
      return false;
    }
  };

  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::WaitScope& scope = io.waitScope;
  kj::TimerImpl clock{kj::origin<kj::TimePoint>()};
  kj::MutexGuarded<State> state;
  int hangs = 0;
  WorkerThreads threads{clock};
  MachineWorkers workers;

  explicit Fixture(MachineWorkers::Limits limits = LIMITS)
      : workers(clock, threads, "the world", limits) {
    workers.onHang([this]() { hangs++; });
  }
  // Threads that were left behind use the fixture.
  ~Fixture() noexcept(false) {
    endAll();
    state.lockExclusive().wait([](const State& s) { return s.underWay == 0; });
  }

  // Lasts until end(name).
  kj::Promise<void> call(kj::StringPtr machine, kj::StringPtr name,
                         kj::Maybe<TurnListener&> listener = nullptr) {
    return workers.run({name, machine, LIMIT, listener}, [this, name = kj::str(name)]() {
      {
        auto s = state.lockExclusive();
        s->began.add(kj::str(name));
        s->mostUnderWay = kj::max(s->mostUnderWay, ++s->underWay);
      }
      state.lockExclusive().wait([&name](const State& s) { return s.mayItEnd(name); });
      --state.lockExclusive()->underWay;
    });
  }
  kj::Promise<int> answer(kj::StringPtr machine, kj::Maybe<TurnListener&> listener = nullptr) {
    return workers.run({"call", machine, LIMIT, listener}, []() { return 7; });
  }

  void end(kj::StringPtr name) { state.lockExclusive()->mayEnd.add(kj::str(name)); }
  void endAll() { state.lockExclusive()->mayAllEnd = true; }
  // Until so many calls have begun since the beginning.
  void awaitBegun(size_t count) {
    scope.poll();
    state.lockExclusive().wait([count](const State& s) { return s.began.size() >= count; });
  }
  kj::String begun() { return kj::strArray(state.lockExclusive()->began, " "); }

  void pass(kj::Duration time) {
    scope.poll();
    clock.advanceTo(clock.now() + time);
    scope.poll();
  }

  template <typename T>
  kj::String failure(kj::Promise<T> promise) {
    return promise
        .then([](auto&&...) { return kj::str("none"); },
              [](kj::Exception&& e) {
                CHECK(e.getType() == kj::Exception::Type::OVERLOADED);
                return kj::str(e.getDescription());
              })
        .wait(scope);
  }
};

TEST_CASE("R20 a hundred starts at once all succeed, but the one that hangs") {
  auto limits = LIMITS;
  limits.wait = 100 * LIMIT;
  Fixture f(limits);
  auto hanging = f.call("hung", "hang");
  kj::Vector<kj::Promise<void>> starts;
  kj::Vector<kj::String> names;
  for (int i = 0; i < 99; i++) names.add(kj::str("m", i));
  for (auto& name : names) starts.add(f.call(name, name));
  // Together they take many times as long as one may.
  for (size_t i = 0; i < names.size(); i++) {
    f.awaitBegun(i + 2);
    f.pass(LIMITS.patience - 1 * kj::SECONDS);
    f.end(names[i]);
    starts[i].wait(f.scope);
  }
  CHECK(f.clock.now() - kj::origin<kj::TimePoint>() > 3 * LIMIT);
  CHECK(f.failure(kj::mv(hanging)) == "the world did not answer within 60 s: hang");
  CHECK(f.hangs == 1);
}

TEST_CASE("R20 one slow machine takes one thread, however many calls it makes") {
  Fixture f;
  kj::Vector<kj::Promise<void>> slow;
  for (auto name : {"s1", "s2", "s3", "s4"}) slow.add(f.call("slow", name));
  f.awaitBegun(1);
  for (int i = 0; i < 10; i++) CHECK(f.answer("other").wait(f.scope) == 7);
  CHECK(f.begun() == "s1");
  for (auto name : {"s1", "s2", "s3", "s4"}) {
    f.end(name);
    slow[name[1] - '1'].wait(f.scope);
  }
  CHECK(f.begun() == "s1 s2 s3 s4");
  CHECK(f.state.lockExclusive()->mostUnderWay == 1);
}

TEST_CASE("machines have their turns one after the other, whoever has more calls waiting") {
  auto limits = LIMITS;
  limits.threads = 1;
  Fixture f(limits);
  kj::Vector<kj::Promise<void>> calls;
  for (auto name : {"a1", "a2", "a3", "b1", "b2", "c1"}) {
    calls.add(f.call(kj::str(name[0]), name));
  }
  f.endAll();
  for (auto& call : calls) call.wait(f.scope);
  CHECK(f.begun() == "a1 b1 c1 a2 b2 a3");
}

TEST_CASE("R20 slow calls of several machines keep no thread from the others") {
  Fixture f;
  auto first = f.call("a", "a1");
  auto second = f.call("b", "b1");
  f.awaitBegun(2);
  Turn turn;
  auto other = f.answer("c", turn);
  CHECK(turn.heard.size() == 1);
  f.pass(LIMITS.patience);
  CHECK(other.wait(f.scope) == 7);
  CHECK(f.hangs == 0);
}

TEST_CASE("R20 machines that were slow wait for each other rather than take the others' threads") {
  Fixture f;
  kj::Vector<kj::Promise<void>> calls;
  for (auto name : {"a1", "b1"}) calls.add(f.call(kj::str(name[0]), name));
  f.awaitBegun(2);
  f.pass(LIMITS.patience);
  for (auto name : {"c1", "d1"}) calls.add(f.call(kj::str(name[0]), name));
  f.awaitBegun(4);
  f.pass(LIMITS.patience);
  // Four are slow where two may be, and hold up who is new.
  Turn turns[2];
  auto held = f.answer("e", turns[0]);
  CHECK(turns[0].heard.size() == 1);
  for (auto name : {"a1", "b1"}) f.end(name);
  for (size_t i = 0; i < 2; i++) calls[i].wait(f.scope);
  CHECK(held.wait(f.scope) == 7);
  // Two are slow: those that were have no turn, and everybody else has.
  auto again = f.answer("a", turns[1]);
  CHECK(turns[1].heard.size() == 1);
  CHECK(f.answer("e").wait(f.scope) == 7);
  CHECK(turns[1].heard.back() == "0");
  f.end("c1");
  calls[2].wait(f.scope);
  CHECK(again.wait(f.scope) == 7);
}

TEST_CASE("R20 a machine that was slow is not held to it for ever") {
  auto limits = LIMITS;
  limits.slowCalls = 1;
  Fixture f(limits);
  auto slow = f.call("a", "a1");
  f.awaitBegun(1);
  f.pass(LIMITS.patience);
  auto hanging = f.call("b", "b1");
  f.awaitBegun(2);
  f.pass(LIMITS.patience);
  f.end("a1");
  slow.wait(f.scope);
  f.scope.poll();
  Turn turn;
  auto again = f.answer("a", turn);
  CHECK(turn.heard.size() == 1);
  f.pass(60 * kj::SECONDS);
  CHECK(again.wait(f.scope) == 7);
}

TEST_CASE("R20 a call's deadline counts from its beginning, and its wait has a limit of its own") {
  auto limits = LIMITS;
  limits.threads = 1;
  limits.slowCalls = 0;
  Fixture f(limits);
  auto first = f.call("a", "a1");
  f.awaitBegun(1);
  auto behind = f.call("b", "b1");
  auto last = f.call("c", "c1");
  f.pass(LIMIT - 1 * kj::SECONDS);
  f.end("a1");
  first.wait(f.scope);
  f.awaitBegun(2);
  f.pass(LIMIT - 1 * kj::SECONDS);
  CHECK_FALSE(behind.poll(f.scope));
  f.end("b1");
  behind.wait(f.scope);
  f.awaitBegun(3);
  auto late = f.answer("d");
  f.end("c1");
  last.wait(f.scope);
  CHECK(late.wait(f.scope) == 7);
}

TEST_CASE("R20 a call whose turn does not come within the limit fails, and is never run") {
  auto limits = LIMITS;
  limits.threads = 1;
  limits.slowCalls = 0;
  limits.wait = LIMIT / 2;
  Fixture f(limits);
  auto first = f.call("a", "a1");
  f.awaitBegun(1);
  auto second = f.call("b", "b1");
  f.pass(LIMIT / 2);
  CHECK(f.failure(kj::mv(second)) == "the world was busy with other calls for 30 s: b1");
  f.end("a1");
  first.wait(f.scope);
  CHECK(f.answer("b").wait(f.scope) == 7);
  CHECK(f.begun() == "a1");
}

TEST_CASE("calls beyond those that may wait are refused, of all and of one machine") {
  auto limits = LIMITS;
  limits.threads = 1;
  limits.waiting = 3;
  limits.waitingOfMachine = 2;
  Fixture f(limits);
  auto first = f.call("a", "a1");
  f.awaitBegun(1);
  kj::Vector<kj::Promise<int>> waiting;
  for (auto machine : {"a", "a"}) waiting.add(f.answer(machine));
  CHECK(f.failure(f.answer("a")) == "the world has 2 calls of a waiting, and takes no more: call");
  waiting.add(f.answer("b"));
  CHECK(f.failure(f.answer("c")) == "the world has 3 calls waiting, and takes no more: call");
  // One that is not wanted any more makes room.
  waiting.removeLast();
  waiting.add(f.answer("c"));
  f.end("a1");
  for (auto& call : waiting) CHECK(call.wait(f.scope) == 7);
}

TEST_CASE("P41 a call is under way until its thread is free, whoever waits for it") {
  Fixture f;
  CHECK_FALSE(f.workers.isCalled("a"));
  auto hanging = f.call("a", "hang");
  f.awaitBegun(1);
  CHECK(f.workers.isCalled("a"));
  CHECK_FALSE(f.workers.isCalled("b"));
  f.pass(LIMIT);
  CHECK(f.failure(kj::mv(hanging)) == "the world did not answer within 60 s: hang");
  CHECK(f.workers.isCalled("a"));
  f.end("hang");
  while (f.workers.isCalled("a")) f.answer("b").wait(f.scope);
  // Who has an answer finds none under way.
  f.answer("a").wait(f.scope);
  CHECK_FALSE(f.workers.isCalled("a"));
}

TEST_CASE("R20 calls for what hangs already are refused until it has answered") {
  Fixture f;
  auto hung = f.call("a", "a1");
  f.awaitBegun(1);
  auto behind = f.answer("a");
  f.pass(LIMITS.patience);
  f.pass(LIMIT);
  CHECK(f.failure(kj::mv(hung)) == "the world did not answer within 60 s: a1");
  CHECK(f.hangs == 1);
  CHECK(f.failure(kj::mv(behind)) == "the world still hangs in a call for a: call");
  CHECK(f.failure(f.answer("a")) == "the world still hangs in a call for a: call");
  CHECK(f.answer("").wait(f.scope) == 7);
  f.end("a1");
  while (f.failure(f.answer("a")) != "none") f.scope.poll();
  CHECK(f.answer("a").wait(f.scope) == 7);
}

TEST_CASE("R20 threads that are left behind have a limit, and one that comes back makes room") {
  auto limits = LIMITS;
  limits.threads = 1;
  limits.slowCalls = 1;
  Fixture f(limits);
  size_t count = 0;
  kj::Vector<kj::Promise<void>> hung;
  for (auto name : {"a1", "b1"}) {
    hung.add(f.call(kj::str(name[0]), name));
    f.awaitBegun(++count);
    f.pass(LIMITS.patience);
  }
  auto waiting = f.answer("c");
  f.pass(LIMIT);
  for (auto& call : hung) CHECK(f.failure(kj::mv(call)) != "none");
  for (int i = 0; i < 2; i++) {
    CHECK(f.failure(i == 0 ? kj::mv(waiting) : f.answer("c")) ==
          "the world hangs in 2 calls, and no more are made: restart bothyd");
  }
  f.end("a1");
  while (f.failure(f.answer("c")) != "none") f.scope.poll();
  CHECK(f.hangs == 2);
}

TEST_CASE("calls about no machine do not wait for each other") {
  Fixture f;
  auto first = f.call("", "one");
  auto second = f.call("", "two");
  f.awaitBegun(2);
  f.endAll();
  first.wait(f.scope);
  second.wait(f.scope);
}

TEST_CASE("a call that is dropped before it begins is never run, and nobody waits for it") {
  auto limits = LIMITS;
  limits.threads = 1;
  Fixture f(limits);
  auto first = f.call("a", "a1");
  f.awaitBegun(1);
  {
    auto dropped = f.call("b", "b1");
    auto ofTheSame = f.call("a", "a2");
  }
  auto last = f.call("c", "c1");
  f.endAll();
  first.wait(f.scope);
  last.wait(f.scope);
  CHECK(f.begun() == "a1 c1");
}

TEST_CASE("a call whose promise outlives the workers fails") {
  auto io = kj::setupAsyncIo();
  kj::TimerImpl clock{kj::origin<kj::TimePoint>()};
  kj::Promise<void> late = nullptr;
  {
    auto limits = LIMITS;
    limits.threads = 0;
    WorkerThreads threads(clock);
    MachineWorkers workers(clock, threads, "the world", limits);
    late = workers.run({"call", "a", LIMIT}, []() {});
  }
  CHECK_THROWS(late.wait(io.waitScope));
}

TEST_CASE("what a call throws reaches the caller, and is no hang") {
  Fixture f;
  auto failing = f.workers.run({"call", "a", LIMIT}, []() { KJ_FAIL_REQUIRE("no such domain"); });
  CHECK(failing
            .then([]() { return kj::String(); },
                  [](kj::Exception&& e) { return kj::str(e.getDescription()); })
            .wait(f.scope) == "no such domain");
  CHECK(f.answer("a").wait(f.scope) == 7);
  CHECK(f.hangs == 0);
}

TEST_CASE("P28 who waits hears that fewer have their turn first where one of them is dropped") {
  auto limits = LIMITS;
  limits.threads = 1;
  Fixture f(limits);
  Turn turns[3];
  auto first = f.call("a", "a1");
  f.awaitBegun(1);
  kj::Maybe<kj::Promise<int>> dropped[] = {f.answer("b"), f.answer("c", turns[0])};
  auto behind = f.answer("c", turns[1]);
  auto last = f.answer("d", turns[2]);
  for (auto& call : dropped) {
    call = nullptr;
    f.scope.poll();
  }
  CHECK(kj::strArray(turns[0].heard, " ") == "1 0");
  CHECK(kj::strArray(turns[1].heard, " ") == "0");
  CHECK(turns[2].heard[0] == "2");
  CHECK(turns[2].heard[1] == "1");
  f.end("a1");
  first.wait(f.scope);
  CHECK(behind.wait(f.scope) == 7);
  CHECK(last.wait(f.scope) == 7);
}

TEST_CASE("R20 a listener that fails costs no thread, and its call is made") {
  struct Failing final: public TurnListener {
    void waits(size_t) override { KJ_FAIL_REQUIRE("waits"); }
    void begins() override { KJ_FAIL_REQUIRE("begins"); }
  };
  auto limits = LIMITS;
  limits.threads = 1;
  Fixture f(limits);
  Failing failing;
  auto first = f.call("a", "a1");
  f.awaitBegun(1);
  auto second = f.answer("b", failing);
  auto third = f.answer("c");
  f.end("a1");
  first.wait(f.scope);
  CHECK(second.wait(f.scope) == 7);
  CHECK(third.wait(f.scope) == 7);
  CHECK(f.answer("b").wait(f.scope) == 7);
}

TEST_CASE("P28 who waits hears how many have their turn first, and when it comes") {
  auto limits = LIMITS;
  limits.threads = 1;
  Fixture f(limits);
  Turn turns[3];
  auto first = f.call("a", "a1", turns[0]);
  auto second = f.call("b", "b1", turns[1]);
  auto third = f.call("c", "c1", turns[2]);
  for (auto name : {"a1", "b1", "c1"}) f.end(name);
  first.wait(f.scope);
  second.wait(f.scope);
  third.wait(f.scope);
  CHECK(kj::strArray(turns[0].heard, " ") == "");
  CHECK(kj::strArray(turns[1].heard, " ") == "0 begins");
  CHECK(kj::strArray(turns[2].heard, " ") == "1 0 begins");
}

}  // namespace
}  // namespace bothy
