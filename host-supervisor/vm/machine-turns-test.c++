// Whose call is next, how long it waits for that, and what it hears meanwhile.

#include <catch2/catch_test_macros.hpp>

#include "vm/test-workers.h"

namespace bothy {
namespace {

TEST_CASE("machines have their turns one after the other, whoever has more calls waiting") {
  auto limits = LIMITS;
  limits.threads = 1;
  TestWorkers f(limits);
  kj::Vector<kj::Promise<void>> calls;
  for (auto name : {"a1", "a2", "a3", "b1", "b2", "c1"}) {
    calls.add(f.call(kj::str(name[0]), name));
  }
  f.endAll();
  for (auto& call : calls) call.wait(f.scope);
  CHECK(f.begun() == "a1 b1 c1 a2 b2 a3");
}

TEST_CASE("R20 a call's deadline counts from its beginning, and its wait has a limit of its own") {
  auto limits = LIMITS;
  limits.threads = 1;
  limits.slowCalls = 0;
  TestWorkers f(limits);
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
  TestWorkers f(limits);
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
  TestWorkers f(limits);
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

TEST_CASE("a call that is dropped before it begins is never run, and nobody waits for it") {
  auto limits = LIMITS;
  limits.threads = 1;
  TestWorkers f(limits);
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

TEST_CASE("P28 who waits hears that fewer have their turn first where one of them is dropped") {
  auto limits = LIMITS;
  limits.threads = 1;
  TestWorkers f(limits);
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
  TestWorkers f(limits);
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
  TestWorkers f(limits);
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
