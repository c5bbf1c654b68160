#include "loop/failure-of.h"

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("the failure of an attempt is told, also of one that fails at once") {
  kj::EventLoop loop;
  kj::WaitScope scope(loop);
  CHECK(failureOf([]() -> kj::Promise<void> { return kj::READY_NOW; }).wait(scope) == nullptr);
  auto later = failureOf([]() -> kj::Promise<void> { return KJ_EXCEPTION(OVERLOADED, "later"); });
  CHECK(KJ_ASSERT_NONNULL(later.wait(scope)).getDescription() == "later");
  auto atOnce = failureOf(
      []() -> kj::Promise<void> { kj::throwFatalException(KJ_EXCEPTION(OVERLOADED, "at once")); });
  CHECK(KJ_ASSERT_NONNULL(atOnce.wait(scope)).getDescription() == "at once");
}

}  // namespace
}  // namespace bothy
