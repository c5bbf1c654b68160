#include <catch2/catch_test_macros.hpp>

#include "command/command-test-world.h"
#include "console/failure.h"

namespace bothy {
namespace {

constexpr kj::StringPtr ID = "fedcba9876543210fedcba9876543210"_kj;

TEST_CASE("P58 why says what keeps a workspace awake, and what comes next") {
  CommandTestWorld world;
  CHECK(world.run({"why", "demo"}) == SUCCESS);
  CHECK(contains(world.out(), "REASON"));
  CHECK(contains(world.out(), "input (does not count)"));
  CHECK(contains(world.out(), "wake lock"));
  CHECK(contains(world.out(), "evil\\x1b[2J"));
  CHECK(contains(world.out(), "demo is kept awake; unless it is used, it is paused at 2023-11-1"));
  CHECK(world.run({"why", "--json", "demo"}) == SUCCESS);
  CHECK(contains(world.out(), "\"kind\":\"wakeLock\""));
  CHECK(contains(world.out(), "\"rule\":\"pause\""));
}

TEST_CASE("P58 why says which rule has paused a workspace, and when") {
  CommandTestWorld world;
  world.supervisor.activity.isPausedByRule = true;
  CHECK(world.run({"why", "demo"}) == SUCCESS);
  CHECK(contains(world.out(), "demo was paused at 2023-11-1"));
  CHECK(contains(world.out(), "because nobody used it; unless it is used, it is hibernated at 20"));
  CHECK(contains(world.out(), "as the last try came to nothing: the disk is full\\x1b\n"));
}

TEST_CASE("P58 why says which rule is just pausing a workspace") {
  CommandTestWorld world;
  world.supervisor.activity.isPausedByRule = true;
  world.supervisor.activity.isBeingPaused = true;
  CHECK(world.run({"why", "demo"}) == SUCCESS);
  CHECK(contains(world.out(), "demo is pausing since 2023-11-1"));
  CHECK(contains(world.out(), "because nobody used it\n"));
}

TEST_CASE("why, wake and idle say that there is no such workspace") {
  CommandTestWorld world;
  SECTION("why") {
    CHECK(world.run({"why", "other"}) == FAILURE);
  }
  SECTION("wake, to take one") {
    CHECK(world.run({"wake", "--for", "1h", "other"}) == FAILURE);
  }
  SECTION("wake, to see them") {
    CHECK(world.run({"wake", "other"}) == FAILURE);
  }
  SECTION("idle") {
    CHECK(world.run({"idle", "other"}) == FAILURE);
  }
  SECTION("idle, to change something") {
    CHECK(world.run({"idle", "--set", "pause-after=1h", "other"}) == FAILURE);
  }
  CHECK(contains(world.errors(), "there is no workspace other"));
}

TEST_CASE("P26 wake takes a wake lock, shows those there are, and releases one") {
  CommandTestWorld world;
  CHECK(world.run({"wake", "demo", "--for", "2h", "--reason", "nightly build"}) == SUCCESS);
  CHECK(world.supervisor.activity.forMillis == 7'200'000);
  CHECK(world.run({"wake", "demo", "--for", "7d"}) == SUCCESS);
  CHECK(world.supervisor.activity.forMillis == 604'800'000);
  CHECK(world.run({"wake", "demo", "--for", "2h", "--reason", "nightly build"}) == SUCCESS);
  CHECK(world.supervisor.activity.reason == "nightly build");
  CHECK(contains(world.errors(), "demo is kept awake until 2023-11-1"));
  CHECK(contains(world.errors(), kj::str("wake lock ", ID)));
  CHECK(world.run({"wake", "demo"}) == SUCCESS);
  CHECK(contains(world.out(), ID));
  CHECK_FALSE(contains(world.out(), "input"));
  CHECK(world.run({"wake", "demo", "--release", "abc"}) == FAILURE);
  CHECK(contains(world.errors(), "demo has no wake lock abc"));
  CHECK(world.run({"wake", "demo", "--release", ID}) == SUCCESS);
  CHECK(contains(world.errors(), "is over"));
  CHECK(world.run({"wake", "demo", "--json"}) == SUCCESS);
  CHECK(contains(world.out(), "{\"locks\":[{\"kind\":\"wakeLock\""));
  CHECK(world.run({"wake", "demo", "--release", ID, "--json"}) == SUCCESS);
  CHECK(contains(world.out(), kj::str("{\"released\":\"", ID, "\"}\n")));
}

TEST_CASE("wake says what is wrong with what it is given") {
  CommandTestWorld world;
  CHECK(world.run({"wake", "demo", "--for", "soon"}) == WRONG_USAGE);
  CHECK(contains(world.errors(), "--for wants a time like 30m, 8h or 2d, not soon"));
  CHECK(world.run({"wake", "demo", "--for", "1h", "--release", "x"}) == WRONG_USAGE);
  CHECK(world.run({"wake", "demo", "--reason", "x"}) == WRONG_USAGE);
  CHECK(world.run({"wake", "demo", "--for", "500ms"}) == FAILURE);
  CHECK(contains(world.errors(), "bothyd refuses this wake lock: the time is too short\\x1b"));
  world.supervisor.activity.isFull = true;
  CHECK(world.run({"wake", "demo", "--for", "1h"}) == FAILURE);
  CHECK(contains(world.errors(), "demo has 16 wake locks, as many as it may"));
}

TEST_CASE("P26 idle shows the figures of a workspace, and changes them") {
  CommandTestWorld world;
  CHECK(world.run({"idle", "demo"}) == SUCCESS);
  CHECK(contains(world.out(), "pause-after       30m    its tier's"));
  CHECK(contains(world.out(), "hibernate-after   10m    its tier's"));
  CHECK(contains(world.out(), "expire-after      never  its tier's"));
  CHECK(contains(world.out(), "count-input       no     its tier's"));
  CHECK(world.run({"idle", "--set", "pause-after=never", "--set", "count-input=tier", "demo"}) ==
        SUCCESS);
  CHECK(contains(world.out(), "pause-after       30m    its own"));
  auto asked =
      world.supervisor.activity.asked.getRoot<rpc::WorkspaceActivity::ChangePolicyParams>();
  auto changes = asked.getChanges();
  REQUIRE(changes.size() == 2);
  CHECK((changes[0].isValue() && changes[0].getValue() == 0));
  CHECK((changes[1].getFigure() == rpc::IdleFigure::COUNT_INPUT && changes[1].isAsTier()));
  CHECK(world.run({"idle", "--set", "warn-before=1m", "demo"}) == FAILURE);
  CHECK(contains(world.errors(), "bothy: warn-before is refused\\x1b"));
  CHECK(world.run({"idle", "--json", "demo"}) == SUCCESS);
  CHECK(contains(world.out(), "\"pauseAfter\":1800"));
}

TEST_CASE("idle says what is wrong with a figure") {
  CommandTestWorld world;
  CHECK(world.run({"idle", "--set", "sleep=1", "demo"}) == WRONG_USAGE);
  CHECK(contains(world.errors(), "--set wants FIGURE=VALUE with one of pause-after, warn-before"));
  CHECK(world.run({"idle", "--set", "pause-after", "demo"}) == WRONG_USAGE);
  CHECK(world.run({"idle", "--set", "pause-after=400d", "demo"}) == WRONG_USAGE);
  CHECK(contains(world.errors(), "--set pause-after wants a time like 30m or 7d up to 366d"));
  CHECK(world.run({"idle", "--set", "count-input=maybe", "demo"}) == WRONG_USAGE);
  CHECK(contains(world.errors(), "--set count-input wants yes, no or tier, not maybe"));
}

}  // namespace
}  // namespace bothy
