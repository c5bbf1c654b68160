#include "loop/worker-thread.h"

#include <kj/async-io.h>
#include <kj/debug.h>
#include <kj/vector.h>
#include <catch2/catch_test_macros.hpp>

#include "loop/inbox.h"

namespace bothy {
namespace {

TEST_CASE("a worker thread answers with promises, in order") {
  auto io = kj::setupAsyncIo();
  WorkerThread worker(io.provider->getTimer(), "the world");
  int calls = 0;
  auto first = worker.run("first", 60 * kj::SECONDS, [&]() { return ++calls; });
  auto second = worker.run("second", 60 * kj::SECONDS, [&]() { return kj::str(++calls); });
  CHECK(second.wait(io.waitScope) == "2");
  CHECK(first.wait(io.waitScope) == 1);
}

TEST_CASE("what a job throws reaches the caller") {
  auto io = kj::setupAsyncIo();
  WorkerThread worker(io.provider->getTimer(), "the world");
  auto failing = worker.run("it", 60 * kj::SECONDS, []() { KJ_FAIL_REQUIRE("no such domain"); });
  auto outcome = failing.then([]() { return kj::String(); },
                              [](kj::Exception&& e) { return kj::str(e.getDescription()); });
  CHECK(outcome.wait(io.waitScope) == "no such domain");
}

TEST_CASE(
    "a call that hangs fails with OVERLOADED at its deadline, and the next is served after it") {
  auto io = kj::setupAsyncIo();
  kj::TimerImpl clock(kj::origin<kj::TimePoint>());
  kj::MutexGuarded<bool> released(false);
  WorkerThread worker(clock, "the world");
  auto hanging = worker.run("the call", 10 * kj::SECONDS, [&]() {
    released.lockExclusive().wait([](const bool& value) { return value; });
  });
  clock.advanceTo(kj::origin<kj::TimePoint>() + 11 * kj::SECONDS);
  auto type = hanging.then([]() { return kj::Exception::Type::FAILED; },
                           [](kj::Exception&& e) { return e.getType(); });
  CHECK(type.wait(io.waitScope) == kj::Exception::Type::OVERLOADED);
  *released.lockExclusive() = true;
  CHECK(worker.run("after", 10 * kj::SECONDS, []() { return 7; }).wait(io.waitScope) == 7);
}

TEST_CASE("a job dropped before it begins is never run") {
  auto io = kj::setupAsyncIo();
  kj::MutexGuarded<bool> released(false);
  bool ran = false;
  WorkerThread worker(io.provider->getTimer(), "the world");
  auto blocking = worker.run("block", 60 * kj::SECONDS, [&]() {
    released.lockExclusive().wait([](const bool& value) { return value; });
  });
  {
    auto dropped = worker.run("dropped", 60 * kj::SECONDS, [&]() { ran = true; });
  }
  *released.lockExclusive() = true;
  blocking.wait(io.waitScope);
  worker.run("after", 60 * kj::SECONDS, []() {}).wait(io.waitScope);
  CHECK(!ran);
}

TEST_CASE("jobs beyond the limit are refused with OVERLOADED") {
  auto io = kj::setupAsyncIo();
  kj::MutexGuarded<bool> released(false);
  WorkerThread worker(io.provider->getTimer(), "the world");
  kj::Vector<kj::Promise<void>> jobs;
  KJ_DEFER(*released.lockExclusive() = true);
  auto refused = kj::runCatchingExceptions([&]() {
    for (size_t i = 0; i < WORKER_QUEUE_LIMIT_JOBS + 2; i++) {
      jobs.add(worker.run("wait", 60 * kj::SECONDS, [&]() {
        released.lockExclusive().wait([](const bool& value) { return value; });
      }));
    }
  });
  CHECK(KJ_ASSERT_NONNULL(refused).getType() == kj::Exception::Type::OVERLOADED);
}

TEST_CASE("a job that goes before others is neither refused nor held up by them") {
  auto io = kj::setupAsyncIo();
  kj::MutexGuarded<bool> begun(false), released(false);
  size_t ran = 0;
  WorkerThread worker(io.provider->getTimer(), "the world");
  kj::Vector<kj::Promise<void>> jobs;
  KJ_DEFER(*released.lockExclusive() = true);
  auto isTrue = [](const bool& value) { return value; };
  jobs.add(worker.run("hold", 60 * kj::SECONDS, [&]() {
    *begun.lockExclusive() = true;
    released.lockExclusive().wait(isTrue);
  }));
  begun.lockExclusive().wait(isTrue);
  kj::runCatchingExceptions([&]() {
    for (;;) jobs.add(worker.run("wait", 60 * kj::SECONDS, [&]() { ran++; }));
  });
  CHECK(jobs.size() >= WORKER_QUEUE_LIMIT_JOBS);
  auto one = worker.runBefore([&]() { return ran; });
  auto two = worker.runBefore([&]() { return ran; });
  *released.lockExclusive() = true;
  CHECK(one.wait(io.waitScope) == 0);
  // Others have their turn too.
  CHECK(two.wait(io.waitScope) == WORKER_JOBS_BETWEEN);
}

TEST_CASE("jobs that nobody waits for keep nobody out") {
  auto io = kj::setupAsyncIo();
  kj::MutexGuarded<bool> released(false);
  WorkerThread worker(io.provider->getTimer(), "the world");
  KJ_DEFER(*released.lockExclusive() = true);
  auto held = worker.run("hold", 60 * kj::SECONDS, [&]() {
    released.lockExclusive().wait([](const bool& value) { return value; });
  });
  for (size_t i = 0; i < 2 * WORKER_QUEUE_LIMIT_JOBS; i++) {
    auto dropped = worker.run("dropped", 60 * kj::SECONDS, []() {});
  }
  auto kept = worker.run("kept", 60 * kj::SECONDS, []() { return 7; });
  *released.lockExclusive() = true;
  CHECK(kept.wait(io.waitScope) == 7);
}

TEST_CASE("an inbox hands over what another thread puts, in order and up to its limit") {
  auto io = kj::setupAsyncIo();
  Inbox<int> inbox(2);
  auto first = inbox.take();
  CHECK(!first.poll(io.waitScope));
  {
    kj::Thread writer([&]() { inbox.put(1); });
  }
  CHECK(first.wait(io.waitScope) == 1);
  for (int i = 2; i < 5; i++) inbox.put(i);
  CHECK(inbox.take().wait(io.waitScope) == 2);
  CHECK(inbox.take().wait(io.waitScope) == 3);
  CHECK(!inbox.take().poll(io.waitScope));
}

}  // namespace
}  // namespace bothy
