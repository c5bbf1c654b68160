#include "vm/machine-workers.h"

#include <catch2/catch_test_macros.hpp>

#include "vm/test-workers.h"

namespace bothy {
namespace {

TEST_CASE("R20 a hundred starts at once all succeed, but the one that hangs") {
  auto limits = LIMITS;
  limits.wait = 100 * LIMIT;
  TestWorkers f(limits);
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
  TestWorkers f;
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

TEST_CASE("R20 slow calls of several machines keep no thread from the others") {
  TestWorkers f;
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
  TestWorkers f;
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
  TestWorkers f(limits);
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

TEST_CASE("P41 a call is under way until its thread is free, whoever waits for it") {
  TestWorkers f;
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
  TestWorkers f;
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
  TestWorkers f(limits);
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
  TestWorkers f;
  auto first = f.call("", "one");
  auto second = f.call("", "two");
  f.awaitBegun(2);
  f.endAll();
  first.wait(f.scope);
  second.wait(f.scope);
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
  TestWorkers f;
  auto failing = f.workers.run({"call", "a", LIMIT}, []() { KJ_FAIL_REQUIRE("no such domain"); });
  CHECK(failing
            .then([]() { return kj::String(); },
                  [](kj::Exception&& e) { return kj::str(e.getDescription()); })
            .wait(f.scope) == "no such domain");
  CHECK(f.answer("a").wait(f.scope) == 7);
  CHECK(f.hangs == 0);
}

}  // namespace
}  // namespace bothy
