#include "files/places.h"

#include <kj/debug.h>
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

}  // namespace
}  // namespace bothy
