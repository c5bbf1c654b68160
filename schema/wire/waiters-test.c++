#include "wire/waiters.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

struct World {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
};

TEST_CASE("all who wait are woken, once, and who comes later waits anew") {
  World w;
  Waiters waiters;
  waiters.wakeAll();
  auto first = waiters.wait(), second = waiters.wait();
  CHECK_FALSE(first.poll(w.scope));
  waiters.wakeAll();
  auto later = waiters.wait();
  first.wait(w.scope);
  second.wait(w.scope);
  CHECK_FALSE(later.poll(w.scope));
  waiters.wakeAll();
  later.wait(w.scope);
}

TEST_CASE("S01 who waits and gives up over and over is not remembered") {
  World w;
  Waiters waiters;
  auto first = waiters.wait();
  for (uint i = 0; i < 1000; i++) {
    auto given = waiters.wait();
    given = nullptr;
  }
  CHECK(waiters.count() <= Waiters::LEAST_CLEANED);
  waiters.wakeAll();
  first.wait(w.scope);
}

TEST_CASE("S01 who comes does not look at all who wait") {
  World w;
  Waiters waiters;
  kj::Vector<kj::Promise<void>> waiting;
  for (uint i = 0; i < 100; i++) waiting.add(waiters.wait());
  waiting.removeLast();
  auto next = waiters.wait();
  // The one that has given up is dropped when there are twice as many.
  CHECK(waiters.count() == 101);
  for (uint i = 0; i < 1000; i++) {
    auto given = waiters.wait();
    given = nullptr;
    REQUIRE(waiters.count() <= 2 * 101);
  }
  waiters.wakeAll();
  CHECK(waiters.count() == 0);
  for (auto& one : waiting) one.wait(w.scope);
  next.wait(w.scope);
}

TEST_CASE("who is woken may wait again at once") {
  World w;
  Waiters waiters;
  uint turns = 0;
  auto waiting = waiters.wait()
                     .then([&]() {
                       ++turns;
                       return waiters.wait();
                     })
                     .then([&]() { ++turns; })
                     .eagerlyEvaluate(nullptr);
  waiters.wakeAll();
  w.scope.poll();
  CHECK(turns == 1);
  waiters.wakeAll();
  waiting.wait(w.scope);
  CHECK(turns == 2);
}

}  // namespace
}  // namespace bothy
