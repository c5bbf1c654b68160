#include "activity/wake-lock.h"

#include <catch2/catch_test_macros.hpp>

#include <kj/debug.h>

namespace bothy {
namespace {

TEST_CASE("P26 a wake lock has a time, and a reason that is text") {
  auto fault = [](uint64_t millis, kj::StringPtr reason) {
    return faultOf(WakeLockWish{millis, kj::str(reason), kj::str("uid 0")});
  };
  CHECK(fault(MIN_WAKE_MILLIS, "") == nullptr);
  CHECK(fault(rpc::MAX_WAKE_MILLIS, "make -j8, ä") == nullptr);
  CHECK(KJ_ASSERT_NONNULL(fault(rpc::MAX_WAKE_MILLIS + 1, "")).startsWith("the time is"));
  CHECK(KJ_ASSERT_NONNULL(fault(1000, "a\x7f")) ==
        "the reason holds a control character: it must be text");
}

}  // namespace
}  // namespace bothy
