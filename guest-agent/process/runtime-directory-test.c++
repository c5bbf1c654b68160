#include "process/runtime-directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/thread.h>

#include <atomic>
#include <catch2/catch_test_macros.hpp>

#include "process/test-world.h"

namespace bothy {
namespace {

struct World: public TestWorld {
  User user = findUser();
  kj::String all = kj::str(directory, "/run/user");
  kj::String own = kj::str(all, "/", uid);

  User findUser() { return KJ_REQUIRE_NONNULL(programs->users.find("user")); }
  bool isInOrder() {
    auto path = programs->runtimeDirectories.ensure(user);
    struct stat status;
    return path != nullptr && KJ_ASSERT_NONNULL(path) == own && lstat(own.cStr(), &status) == 0 &&
           S_ISDIR(status.st_mode) && status.st_uid == uid && (status.st_mode & 07777) == 0700;
  }
};

TEST_CASE(
    "P40 a user's runtime directory is his alone, and is made again after somebody removed it") {
  World world;
  CHECK(world.isInOrder());
  CHECK(world.isInOrder());
  REQUIRE(rmdir(world.own.cStr()) == 0);
  REQUIRE(rmdir(world.all.cStr()) == 0);
  CHECK(world.isInOrder());
  REQUIRE(chmod(world.own.cStr(), 0777) == 0);
  CHECK(world.isInOrder());
  if (geteuid() == 0) {
    REQUIRE(chown(world.own.cStr(), 0, 0) == 0);
    CHECK(world.isInOrder());
  }
}

TEST_CASE("S42 who lists his runtime directory holds up the agent in his own name") {
  World world;
  CHECK(world.isInOrder());
  std::atomic<bool> isSeen = false, isOver = false;
  auto look = [&]() {
    while (!isSeen.load() && !isOver.load()) {
      const auto touch = world.programs->touches.state();
      if (touch.isTouch() && !touch.isAnybodys() && touch.user() == world.uid) isSeen.store(true);
    }
  };
  {
    kj::Thread watcher(look);
    KJ_DEFER(isOver.store(true));
    world.await([&]() {
      chmod(world.own.cStr(), 0777);
      return !world.isInOrder() || isSeen.load();
    });
  }
  CHECK(isSeen.load());
}

TEST_CASE("S42 nobody but root lists the directory of all runtime directories") {
  World world;
  CHECK(world.isInOrder());
  REQUIRE(rmdir(world.own.cStr()) == 0);
  REQUIRE(rmdir(world.all.cStr()) == 0);
  CHECK(world.isInOrder());
  struct stat status;
  REQUIRE(stat(world.all.cStr(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0711);
}

TEST_CASE("a runtime directory that leads elsewhere is not followed") {
  World world;
  CHECK(world.isInOrder());
  REQUIRE(rmdir(world.own.cStr()) == 0);
  auto elsewhere = kj::str(world.directory, "/elsewhere");
  REQUIRE(mkdir(elsewhere.cStr(), 0755) == 0);
  REQUIRE(symlink(elsewhere.cStr(), world.own.cStr()) == 0);
  CHECK(world.programs->runtimeDirectories.ensure(world.user) == nullptr);
  struct stat status;
  REQUIRE(stat(elsewhere.cStr(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0755);
}

TEST_CASE("without /run there is no runtime directory") {
  World world;
  RuntimeDirectories none("/no/such/run", world.programs->touches);
  CHECK(none.ensure(world.user) == nullptr);
}

}  // namespace
}  // namespace bothy
