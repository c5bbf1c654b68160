#include "tier/idle-policy.h"

#include <catch2/catch_test_macros.hpp>

#include <kj/debug.h>

#include "tier/tier-table.h"

namespace bothy {
namespace {

kj::String faultOfText(kj::StringPtr text) {
  IdlePolicy policy;
  return setIdleFigures(policy, text).orDefault(kj::str());
}

TEST_CASE(
    "P26 a policy pauses after 30 minutes, warns before, and counts all but what nobody says") {
  IdlePolicy policy;
  CHECK(policy.pauseAfter == 1800);
  CHECK(policy.warnBefore == 120);
  CHECK(policy.hibernateAfter == 600);
  CHECK(policy.expireAfter == 2592000);
  CHECK(policy.warnExpiry == 259200);
  CHECK(policy.sessionGrace == 60);
  CHECK(policy.mostGuestWake == 43200);
  CHECK((policy.countSessions && policy.countInput && policy.countCommands));
  CHECK(policy.countWakeLocks == 1);
}

TEST_CASE("figures of a policy are set by name, in seconds or other units") {
  IdlePolicy policy;
  CHECK(setIdleFigures(policy, "pause-after=2h  warn-before=90 session-grace=0 count-input=0") ==
        nullptr);
  CHECK(policy.pauseAfter == 7200);
  CHECK(policy.warnBefore == 90);
  CHECK(policy.sessionGrace == 0);
  CHECK(policy.countInput == 0);
  CHECK(setIdleFigures(policy, "pause-after=never most-guest-wake=7d expire-after=never") ==
        nullptr);
  CHECK((policy.pauseAfter == 0 && policy.expireAfter == 0));
  CHECK(policy.mostGuestWake == 604800);
}

TEST_CASE("what is no figure of a policy is refused with the limit, and changes nothing") {
  CHECK(faultOfText("pause-after=400d") ==
        "pause-after is '400d': it must be a whole number of seconds, or of m, h or d like 30m, "
        "from 0 to 31622400 s, or never");
  CHECK(faultOfText("warn-before=never") ==
        "warn-before is 'never': it must be a whole number of seconds, or of m, h or d like 30m, "
        "from 0 to 31622400 s");
  CHECK(faultOfText("count-input=2") == "count-input is '2': it must be 0 or 1");
  CHECK(faultOfText("pause-after=m").size() > 0);
  CHECK(faultOfText("pause-after=").size() > 0);
  CHECK(faultOfText("pause-after=99999999999").size() > 0);
  CHECK(faultOfText("pause-after=-1").size() > 0);
  CHECK(faultOfText("pause-after=1 pause-after=2") ==
        "pause-after is set twice; the limit is once");
  CHECK(faultOfText("sleep=1").startsWith("'sleep' is none of pause-after, warn-before"));
  IdlePolicy policy;
  CHECK(setIdleFigures(policy, "pause-after=1 warn-before=x") != nullptr);
  CHECK(policy.pauseAfter == 1800);
}

TEST_CASE("a workspace's own figures are kept as a text, and stand in the place of its tier's") {
  IdleOverrides overrides;
  CHECK(overrides.isEmpty());
  overrides.of(IdleFigure::PAUSE_AFTER) = uint32_t{0};
  overrides.of(IdleFigure::COUNT_COMMANDS) = uint32_t{0};
  CHECK(overrides.text() == "pause-after=0 count-commands=0");
  auto read = IdleOverrides::parse(overrides.text());
  IdlePolicy policy = read.over({});
  CHECK((policy.pauseAfter == 0 && policy.countCommands == 0 && policy.countInput == 1));
  // What a newer bothyd has written, or a damaged disk.
  CHECK(IdleOverrides::parse("sleep-after=1 pause-after=99999999999 count-input=0").text() ==
        "count-input=0");
}

TEST_CASE("a tier has a policy, set among its figures") {
  TierTable table;
  CHECK(table.set("free", "memory=1024 pause-after=10m") == nullptr);
  auto& tier = KJ_ASSERT_NONNULL(table.find("free"));
  CHECK((tier.memoryMib == 1024 && tier.idle.pauseAfter == 600 && tier.idle.warnBefore == 120));
  CHECK(table.set("free", "pause-after=never") == nullptr);
  CHECK(KJ_ASSERT_NONNULL(table.find("free")).idle.pauseAfter == 0);
  CHECK(table.set("free", "pause-after=1 pause-after=2") != nullptr);
  const TierTable copy(table);
  CHECK(KJ_ASSERT_NONNULL(copy.find("free")).idle.pauseAfter == 0);
}

}  // namespace
}  // namespace bothy
