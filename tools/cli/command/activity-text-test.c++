#include "command/activity-text.h"

#include <catch2/catch_test_macros.hpp>

#include <kj/debug.h>

namespace bothy {
namespace {

using Figure = rpc::IdleFigure;

TEST_CASE("figures of a policy are told as they can be given again") {
  CHECK(textOf(Figure::PAUSE_AFTER, 0) == "never");
  CHECK(textOf(Figure::WARN_BEFORE, 0) == "0s");
  CHECK(textOf(Figure::PAUSE_AFTER, 90) == "90s");
  CHECK(textOf(Figure::PAUSE_AFTER, 1800) == "30m");
  CHECK(textOf(Figure::MOST_GUEST_WAKE, 43200) == "12h");
  CHECK(textOf(Figure::MOST_GUEST_WAKE, 604800) == "7d");
  CHECK(textOf(Figure::COUNT_INPUT, 1) == "yes");
  for (uint32_t value : {0u, 1u, 90u, 1800u, 43200u, 604800u, 31622400u}) {
    CHECK(KJ_ASSERT_NONNULL(parseFigure(Figure::PAUSE_AFTER, textOf(Figure::PAUSE_AFTER, value))) ==
          value);
  }
}

TEST_CASE("what is no value of a figure is none") {
  CHECK(parseFigure(Figure::PAUSE_AFTER, "367d") == nullptr);
  CHECK(parseFigure(Figure::PAUSE_AFTER, "500ms") == nullptr);
  CHECK(parseFigure(Figure::PAUSE_AFTER, "d") == nullptr);
  CHECK(parseFigure(Figure::PAUSE_AFTER, "") == nullptr);
  CHECK(parseFigure(Figure::WARN_BEFORE, "never") == nullptr);
  CHECK(parseFigure(Figure::COUNT_INPUT, "2") == nullptr);
  CHECK(KJ_ASSERT_NONNULL(parseFigure(Figure::COUNT_INPUT, "no")) == 0);
  CHECK(idleFigure("count-wake-locks") == Figure::COUNT_WAKE_LOCKS);
  CHECK(idleFigure("sleep") == nullptr);
}

}  // namespace
}  // namespace bothy
