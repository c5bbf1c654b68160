#include "wire/places.h"

#include <malloc.h>

#include <kj/debug.h>
#include <kj/vector.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("places are taken in turn, and who gave up waiting is passed over") {
  kj::EventLoop loop;
  kj::WaitScope scope(loop);
  auto places = kj::refcounted<Places>(2);
  auto first = places->take().wait(scope);
  auto second = KJ_ASSERT_NONNULL(places->tryTake());
  CHECK(places->tryTake() == nullptr);
  auto third = places->take();
  kj::Maybe<kj::Promise<kj::Own<Places::Place>>> fourth = places->take();
  auto fifth = places->take();
  CHECK_FALSE(third.poll(scope));
  fourth = nullptr;

  first = nullptr;
  CHECK(third.poll(scope));
  CHECK_FALSE(fifth.poll(scope));
  // Dropped before it was seen.
  {
    auto unseen = kj::mv(third);
  }
  auto held = fifth.wait(scope);
  CHECK(places->tryTake() == nullptr);
  held = nullptr;
  second = nullptr;
  auto again = KJ_ASSERT_NONNULL(places->tryTake());
  CHECK(places->tryTake() != nullptr);
}

TEST_CASE("S01 those who gave up waiting keep no memory") {
  kj::EventLoop loop;
  kj::WaitScope scope(loop);
  auto places = kj::refcounted<Places>(1);
  auto held = places->take().wait(scope);
  auto leave = [&](int count) {
    for (int i = 0; i < count; i++) places->take().poll(scope);
    return mallinfo2().uordblks;
  };
  constexpr size_t ALLOWED_BYTES = 64 * 1024;
  const auto before = leave(100);
  CHECK(leave(10000) < before + ALLOWED_BYTES);
}

constexpr kj::uint PLACES = 2, WAITING = 3;

struct World {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::Own<Places> places = kj::refcounted<Places>(PLACES, WAITING);
  kj::Vector<int> begun;
  kj::Vector<kj::Own<kj::PromiseFulfiller<void>>> transfers;

  kj::Promise<void> run(int name) {
    auto place = co_await places->take();
    begun.add(name);
    auto paf = kj::newPromiseAndFulfiller<void>();
    transfers.add(kj::mv(paf.fulfiller));
    co_await paf.promise;
  }
  bool areBegun(std::initializer_list<int> names) {
    scope.poll();
    return begun.asPtr() == kj::arrayPtr(names.begin(), names.size());
  }
};

TEST_CASE("transfers have their turn in the order in which they came") {
  World w;
  kj::Vector<kj::Promise<void>> calls;
  for (int name = 0; name < 4; name++) calls.add(w.run(name).eagerlyEvaluate(nullptr));
  CHECK(w.areBegun({0, 1}));
  w.transfers[0]->fulfill();
  calls[0].wait(w.scope);
  // Before it another that comes now.
  calls.add(w.run(4).eagerlyEvaluate(nullptr));
  CHECK(w.areBegun({0, 1, 2}));
  w.transfers[2]->fulfill();
  w.transfers[1]->fulfill();
  CHECK(w.areBegun({0, 1, 2, 3, 4}));
}

TEST_CASE("a place that is handed over is nobody else's") {
  World w;
  auto first = w.run(0), second = w.run(1), waiting = w.run(2);
  CHECK(w.areBegun({0, 1}));
  // The one that waited has its place from here on, and has not begun yet.
  first = nullptr;
  auto late = w.run(3);
  CHECK(w.areBegun({0, 1, 2}));
}

TEST_CASE("a place that was handed over to a transfer that is given up goes to the next") {
  World w;
  auto first = w.run(0), second = w.run(1), waiting = w.run(2), last = w.run(3);
  CHECK(w.areBegun({0, 1}));
  first = nullptr;
  waiting = nullptr;
  CHECK(w.areBegun({0, 1, 3}));
  second = nullptr;
  last = nullptr;
  // Nobody has one any more.
  auto again = w.run(4), another = w.run(5), tooMany = w.run(6);
  CHECK(w.areBegun({0, 1, 3, 4, 5}));
}

TEST_CASE("S01 as many wait as may, and one that is given up makes room") {
  World w;
  kj::Vector<kj::Promise<void>> calls;
  for (int name = 0; name < PLACES + WAITING; name++) calls.add(w.run(name));
  auto typeOf = [&](kj::Promise<void> promise) {
    return promise
        .then([]() { return kj::Exception::Type::FAILED; },
              [](kj::Exception&& e) { return e.getType(); })
        .wait(w.scope);
  };
  CHECK(typeOf(w.run(9)) == kj::Exception::Type::OVERLOADED);
  calls[PLACES] = nullptr;
  auto late = w.run(10);
  CHECK_FALSE(late.poll(w.scope));
  CHECK(typeOf(w.run(11)) == kj::Exception::Type::OVERLOADED);
  CHECK(w.areBegun({0, 1}));
}

}  // namespace
}  // namespace bothy
