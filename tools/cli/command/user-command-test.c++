#include <catch2/catch_test_macros.hpp>

#include "command/command-test-world.h"
#include "console/failure.h"

namespace bothy {
namespace {

rpc::Users::EnsureParams::Reader asked(CommandTestWorld& world) {
  return world.supervisor.users.asked.getRoot<rpc::Users::EnsureParams>().asReader();
}

TEST_CASE("user ensure brings the user's workspace up and prints its name") {
  CommandTestWorld world;
  SECTION("one that he has") {
    CHECK(world.run({"user", "ensure", "alice"}) == SUCCESS);
    CHECK(world.out() == "alice-000000000001\n");
    CHECK(contains(world.errors(), "alice-000000000001 was resumed, after "));
    CHECK(contains(world.errors(), "`bothy shell alice-000000000001`"));
    CHECK((asked(world).getUser() == "alice" && asked(world).getName() == ""));
  }
  SECTION("another of his") {
    CHECK(world.run({"user", "ensure", "--name", "lab", "alice"}) == SUCCESS);
    CHECK(contains(world.errors(), "alice-lab-000000000002 was started"));
  }
  SECTION("one that is made of what the options say") {
    CHECK(world.run({"user", "ensure", "new", "--image", "dev", "--cpus=2", "--memory", "1G",
                     "--disk", "8G", "--tier", "pro"}) == SUCCESS);
    CHECK(contains(world.errors(), "new-000000000004 was created"));
    auto spec = asked(world).getSpec();
    CHECK((spec.getName() == "" && spec.getImage() == "dev" && spec.getCpus() == 2));
    CHECK((spec.getMemoryMib() == 1024 && spec.getDiskMib() == 8192 && spec.getTier() == "pro"));
  }
  SECTION("as JSON") {
    CHECK(world.run({"user", "ensure", "--json", "bob"}) == SUCCESS);
    CHECK(contains(world.out(), "\"user\":\"bob\""));
    CHECK(contains(world.out(), "\"done\":\"connected\""));
  }
}

TEST_CASE("user ensure tells why the user's workspace does not run, in words that are escaped") {
  CommandTestWorld world;
  auto answer = [&](FakeUsers::Answer told) {
    world.supervisor.users.answer = kj::mv(told);
    return world.run({"user", "ensure", "alice"});
  };
  CHECK(answer([](auto outcome) { outcome.setInvalid("user is 'x\x1b': it must be short"); }) ==
        WRONG_USAGE);
  CHECK(contains(world.errors(), "user is 'x\\x1b': it must be short"));
  CHECK(answer([](auto outcome) { outcome.setNoSuchImage("dev\x1b"); }) == FAILURE);
  CHECK(contains(world.errors(), "there is no image dev\\x1b"));
  CHECK(answer([](auto outcome) { outcome.initFailed().setMessage("no kernel"); }) == FAILURE);
  CHECK(contains(world.errors(), "no kernel: the same command tries again, `bothy user ls` shows"));
  // No command takes a user in the place of a workspace's name.
  CHECK_FALSE(contains(world.errors(), "the workspace of alice`"));
  CHECK(answer([](auto outcome) { outcome.setNoSpace("the disk is full\x1b"); }) == FAILURE);
  CHECK(contains(world.errors(), "the disk is full\\x1b"));
  CHECK(answer([](auto outcome) { outcome.initStopped(); }) == FAILURE);
  CHECK(contains(world.errors(), "the workspace of alice was stopped before it ran"));
  CHECK(answer([](auto outcome) { outcome.setBusy(rpc::WorkspaceState::DELETING); }) == FAILURE);
  CHECK(contains(world.errors(),
                 "the workspace of alice is busy (deleting): the same command tries again"));
  CHECK(answer([](auto outcome) {
          outcome.initUnderway().setState(rpc::WorkspaceState::STOPPING);
        }) == FAILURE);
  CHECK(contains(world.errors(), "the workspace of alice is still stopping"));
  CHECK(answer([](auto outcome) { outcome.initNoCapacity().setWhy("too little\x1b"); }) == FAILURE);
  CHECK(contains(world.errors(), "too little\\x1b"));
}

TEST_CASE("user ls shows the workspaces of a user, or of all, page after page") {
  CommandTestWorld world;
  SECTION("all") {
    CHECK(world.run({"user", "ls"}) == SUCCESS);
    for (auto part : {"alice-000000000001", "lab", "bob", "paused", "host-1", "LAST ACTIVE"}) {
      CHECK(contains(world.out(), part));
    }
  }
  SECTION("one's") {
    CHECK(world.run({"user", "ls", "--json", "alice"}) == SUCCESS);
    CHECK(contains(world.out(), "alice-000000000001"));
    CHECK(contains(world.out(), "alice-lab-000000000002"));
    CHECK(!contains(world.out(), "bob"));
  }
  SECTION("of one who has none") {
    CHECK(world.run({"user", "ls", "eve\x1b"}) == SUCCESS);
    CHECK(contains(world.errors(), "eve\\x1b has no workspace"));
  }
}

TEST_CASE("user rm destroys all that a user has, and asks for -f where one runs") {
  CommandTestWorld world;
  SECTION("one is up") {
    CHECK(world.run({"user", "rm", "alice"}) == FAILURE);
    CHECK(contains(world.errors(),
                   "alice has workspaces that are up: alice-000000000001 (paused): "));
    CHECK(world.supervisor.users.removals == 0);
    CHECK(world.run({"user", "rm", "-f", "alice"}) == SUCCESS);
    CHECK(contains(world.errors(), "alice-lab-000000000002 is gone, with its disk"));
  }
  SECTION("as JSON") {
    CHECK(world.run({"user", "rm", "-f", "--json", "alice"}) == SUCCESS);
    CHECK(world.out() == "{\"deleted\":[\"alice-000000000001\",\"alice-lab-000000000002\"]}\n");
  }
  SECTION("a user without any") {
    CHECK(world.run({"user", "rm", "eve"}) == FAILURE);
    CHECK(contains(world.errors(), "eve has no workspace"));
    CHECK(world.run({"user", "rm", "-f", "eve"}) == SUCCESS);
  }
  SECTION("one goes on") {
    world.supervisor.users.isStuck = true;
    CHECK(world.run({"user", "rm", "-f", "alice"}) == FAILURE);
    CHECK(contains(world.errors(), "alice-000000000001 is gone"));
    CHECK(contains(world.errors(), "alice-lab-000000000002 is still deleting (it hangs\\x1b[2J)"));
  }
}

TEST_CASE("user says what it wants") {
  CommandTestWorld world;
  CHECK(world.run({"user", "ensure"}) == WRONG_USAGE);
  CHECK(contains(world.errors(), "ensure wants a USER"));
  CHECK(world.run({"user", "rm"}) == WRONG_USAGE);
  CHECK(world.run({"user", "make", "alice"}) == WRONG_USAGE);
  CHECK(contains(world.errors(), "user wants ensure, ls or rm, not make"));
}

}  // namespace
}  // namespace bothy
