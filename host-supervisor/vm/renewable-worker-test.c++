#include "vm/renewable-worker.h"

#include <kj/async-io.h>
#include <kj/vector.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr kj::Duration LIMIT = 10 * kj::SECONDS;

// A worker under a clock of its own, and calls that hang until they are let go.
struct Fixture {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::TimerImpl clock{kj::origin<kj::TimePoint>()};
  kj::MutexGuarded<bool> isReleased{false};
  kj::MutexGuarded<int> hanging{0};
  int hangs = 0;
  RenewableWorker worker{clock, "the world", 2};

  Fixture() {
    worker.onHang([this]() { hangs++; });
  }
  ~Fixture() noexcept(false) { release(); }

  void release() {
    *isReleased.lockExclusive() = true;
    hanging.lockExclusive().wait([](const int& count) { return count == 0; });
    *isReleased.lockExclusive() = false;
  }

  kj::Promise<void> hang(kj::StringPtr subject) {
    return worker.run({"call", subject, LIMIT}, [this]() {
      ++*hanging.lockExclusive();
      isReleased.lockExclusive().wait([](const bool& value) { return value; });
      --*hanging.lockExclusive();
    });
  }

  kj::Promise<int> answer(kj::StringPtr subject) {
    return worker.run({"call", subject, LIMIT}, []() { return 7; });
  }

  // Until the call that was made last is under way.
  void awaitHanging(int count) {
    io.waitScope.poll();
    hanging.lockExclusive().wait([count](const int& actual) { return actual == count; });
  }

  void passLimit() { clock.advanceTo(clock.now() + LIMIT + 1 * kj::SECONDS); }

  template <typename T>
  kj::String failure(kj::Promise<T> promise) {
    return promise
        .then([](auto&&...) { return kj::str("none"); },
              [](kj::Exception&& e) {
                CHECK(e.getType() == kj::Exception::Type::OVERLOADED);
                return kj::str(e.getDescription());
              })
        .wait(io.waitScope);
  }
};

TEST_CASE("R20 a call that hangs fails at its deadline, and those behind it are answered") {
  Fixture f;
  auto hung = f.hang("a");
  f.awaitHanging(1);
  f.clock.advanceTo(f.clock.now() + 1 * kj::SECONDS);
  auto behind = f.answer("b");
  CHECK(!behind.poll(f.io.waitScope));
  f.clock.advanceTo(f.clock.now() + LIMIT - 1 * kj::SECONDS);
  CHECK(f.failure(kj::mv(hung)) == "the world did not answer within 10 s: call");
  CHECK(behind.wait(f.io.waitScope) == 7);
  CHECK(f.hangs == 1);
  CHECK(f.answer("b").wait(f.io.waitScope) == 7);
}

TEST_CASE("R20 a call that has not begun within its limit fails, and is never run") {
  Fixture f;
  auto first = f.hang("a");
  f.awaitHanging(1);
  bool ran = false;
  auto second = f.worker.run({"call", "b", LIMIT / 2}, [&]() { ran = true; });
  f.io.waitScope.poll();
  f.clock.advanceTo(f.clock.now() + LIMIT / 2);
  CHECK(f.failure(kj::mv(second)) == "the world was busy with other calls for 5 s: call");
  f.release();
  first.wait(f.io.waitScope);
  CHECK(f.answer("b").wait(f.io.waitScope) == 7);
  CHECK(!ran);
}

TEST_CASE("R20 calls for what hangs already are refused until it has answered") {
  Fixture f;
  auto hung = f.hang("a");
  f.awaitHanging(1);
  f.passLimit();
  f.failure(kj::mv(hung));
  CHECK(f.failure(f.answer("a")) == "the world still hangs in a call for a: call");
  CHECK(f.answer("").wait(f.io.waitScope) == 7);
  f.release();
  while (f.failure(f.answer("a")) != "none") {
  }
  CHECK(f.answer("a").wait(f.io.waitScope) == 7);
}

TEST_CASE("R20 threads that are left behind have a limit, and one that comes back makes room") {
  Fixture f;
  int count = 0;
  for (auto subject : {"a", "b"}) {
    auto hung = f.hang(subject);
    f.awaitHanging(++count);
    f.passLimit();
    f.failure(kj::mv(hung));
  }
  CHECK(f.failure(f.answer("c")) ==
        "the world hangs in 2 calls, and no more are made: restart bothyd");
  f.release();
  while (f.failure(f.answer("c")) != "none") {
  }
  CHECK(f.hangs == 2);
}

TEST_CASE("a call that is dropped before it begins is never run") {
  Fixture f;
  auto hung = f.hang("a");
  f.awaitHanging(1);
  bool ran = false;
  {
    auto dropped = f.worker.run({"call", nullptr, LIMIT}, [&]() { ran = true; });
  }
  f.release();
  hung.wait(f.io.waitScope);
  CHECK(f.answer("b").wait(f.io.waitScope) == 7);
  CHECK(!ran);
}

TEST_CASE("what a call throws reaches the caller, and is no hang") {
  Fixture f;
  auto failing = f.worker.run({"call", "a", LIMIT}, []() { KJ_FAIL_REQUIRE("no such domain"); });
  CHECK(failing
            .then([]() { return kj::String(); },
                  [](kj::Exception&& e) { return kj::str(e.getDescription()); })
            .wait(f.io.waitScope) == "no such domain");
  CHECK(f.answer("a").wait(f.io.waitScope) == 7);
  CHECK(f.hangs == 0);
}

}  // namespace
}  // namespace bothy
