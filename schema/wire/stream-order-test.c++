#include "wire/stream-order.h"

#include <kj/debug.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("P41 nothing follows a call of a stream that was cancelled or failed") {
  kj::EventLoop loop;
  kj::WaitScope scope(loop);
  StreamOrder order;
  order.begin();
  order.endAfter(kj::READY_NOW).wait(scope);
  order.begin();
  order.end();
  order.begin();
  SECTION("cancelled") {
    auto call = order.endAfter(kj::NEVER_DONE);
    CHECK_FALSE(call.poll(scope));
    call = nullptr;
  }
  SECTION("failed") {
    CHECK_THROWS(order.endAfter(KJ_EXCEPTION(FAILED, "a full disk")).wait(scope));
  }
  auto refused = KJ_ASSERT_NONNULL(kj::runCatchingExceptions([&]() { order.begin(); }));
  CHECK(refused.getType() == kj::Exception::Type::DISCONNECTED);
}

}  // namespace
}  // namespace bothy
