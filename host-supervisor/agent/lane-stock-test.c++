#include "agent/lane-stock.h"

#include <kj/debug.h>
#include <kj/vector.h>
#include <catch2/catch_test_macros.hpp>

#include "lane/lane-greeting.h"

namespace bothy {
namespace {

// A machine whose dials are answered when the test says.
struct World {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::WaitScope& scope = io.waitScope;
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  kj::Vector<kj::Own<kj::PromiseFulfiller<kj::Own<kj::AsyncIoStream>>>> dials;
  kj::Vector<kj::Own<kj::AsyncIoStream>> guests;
  LaneStock stock{timer, kj::heapArray("the secret"_kj.asBytes()), [this]() {
                    auto paf = kj::newPromiseAndFulfiller<kj::Own<kj::AsyncIoStream>>();
                    dials.add(kj::mv(paf.fulfiller));
                    return kj::mv(paf.promise);
                  }};

  // When a spare is dialled.
  void pass() {
    timer.advanceTo(timer.now() + SPARE_PAUSE);
    scope.poll();
  }
  // Answers the dial of this number.
  void answer(size_t dial) {
    auto pipe = io.provider->newTwoWayPipe();
    guests.add(kj::mv(pipe.ends[1]));
    dials[dial]->fulfill(kj::mv(pipe.ends[0]));
    scope.poll();
  }
  bool hasHello(size_t guest) {
    auto message = readGreeting(*guests[guest]).wait(scope);
    return message->getRoot<rpc::Hello>().getSecret() == "the secret"_kj.asBytes();
  }
};

TEST_CASE("who takes a connection gets one that said hello, and another is made ready") {
  World w;
  auto taking = w.stock.take();
  CHECK(w.dials.size() == 1);
  w.answer(0);
  auto stream = taking.wait(w.scope);
  CHECK(w.hasHello(0));

  CHECK(w.dials.size() == 1);
  w.pass();
  REQUIRE(w.dials.size() == 2);
  w.answer(1);
  CHECK(w.stock.size() == 1);
  // No dial for the next one, but for the one after it.
  auto second = w.stock.take();
  CHECK(second.poll(w.scope));
  CHECK(w.hasHello(1));
  w.pass();
  CHECK(w.dials.size() == 3);
}

TEST_CASE("P41 a dial whose taker has left is finished and becomes a spare") {
  World w;
  {
    auto taking = w.stock.take();
    CHECK_FALSE(taking.poll(w.scope));
  }
  CHECK(w.dials[0]->isWaiting());
  w.answer(0);
  CHECK(w.stock.size() == 1);
  CHECK(w.stock.take().poll(w.scope));
}

TEST_CASE("a spare that the agent has closed is given to nobody") {
  World w;
  auto taking = w.stock.take();
  w.answer(0);
  auto stream = taking.wait(w.scope);
  w.pass();
  w.answer(1);
  w.guests[1] = nullptr;
  auto second = w.stock.take();
  CHECK_FALSE(second.poll(w.scope));
  w.answer(2);
  CHECK(second.poll(w.scope));
}

TEST_CASE("a dial that fails is told to one who waits, and one that nobody answers ends") {
  World w;
  auto first = w.stock.take();
  auto second = w.stock.take();
  CHECK(w.dials.size() == 2);
  w.dials[0]->reject(KJ_EXCEPTION(DISCONNECTED, "nobody listens"));
  CHECK_THROWS_AS(first.wait(w.scope), kj::Exception);
  for (auto waited = 0 * kj::SECONDS; waited < DIAL_LIMIT; waited += SLOW_DIAL) {
    CHECK_FALSE(second.poll(w.scope));
    w.timer.advanceTo(w.timer.now() + SLOW_DIAL);
  }
  CHECK(
      second
          .then([](auto&&) { return false; },
                [](kj::Exception&& e) { return e.getType() == kj::Exception::Type::DISCONNECTED; })
          .wait(w.scope));
  CHECK_FALSE(w.dials[1]->isWaiting());
}

TEST_CASE("P09 who waits for a dial that was swallowed is served by another") {
  World w;
  auto taking = w.stock.take();
  CHECK_FALSE(taking.poll(w.scope));
  w.timer.advanceTo(w.timer.now() + SLOW_DIAL);
  CHECK_FALSE(taking.poll(w.scope));
  REQUIRE(w.dials.size() == 2);
  w.answer(1);
  CHECK(taking.poll(w.scope));
  CHECK(w.hasHello(0));
  // Nobody counts on the first any more, and it is not dropped.
  w.timer.advanceTo(w.timer.now() + SLOW_DIAL);
  w.scope.poll();
  CHECK(w.dials[0]->isWaiting());
  // Nor does it keep a spare from being made, or the next from being served.
  REQUIRE(w.dials.size() == 3);
  auto next = w.stock.take();
  CHECK_FALSE(next.poll(w.scope));
  w.answer(2);
  CHECK(next.poll(w.scope));
}

TEST_CASE("a guest that answers no dial has no more of them than the limit") {
  World w;
  auto taking = w.stock.take();
  for (auto waited = 0 * kj::SECONDS; waited < DIAL_LIMIT; waited += SLOW_DIAL) {
    CHECK_FALSE(taking.poll(w.scope));
    w.timer.advanceTo(w.timer.now() + SLOW_DIAL);
  }
  CHECK(w.dials.size() == 1 + MAX_REPEATED_DIALS);
}

TEST_CASE("no more dials than the limit are under way at a time") {
  World w;
  kj::Vector<kj::Promise<kj::Own<kj::AsyncIoStream>>> taking;
  for (uint i = 0; i <= MAX_DIALS; i++) taking.add(w.stock.take());
  CHECK(w.dials.size() == MAX_DIALS);
  uint refused = 0;
  for (auto& one : taking) {
    if (one.poll(w.scope)) ++refused;
  }
  CHECK(refused == 1);
}

}  // namespace
}  // namespace bothy
