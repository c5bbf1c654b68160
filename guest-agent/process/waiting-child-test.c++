// Starts by children that were made beforehand.
#include "process/waiting-child.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <catch2/catch_test_macros.hpp>

#include "process/test-trees.h"
#include "process/text-file.h"

namespace bothy {
namespace {

struct World: public TreesWorld {
  // Until one waits, which is known by its name.  None waits before a program has ended.
  pid_t waiting() {
    if (programs->trees.countPrepared() == 0) REQUIRE(runs());
    settle();
    REQUIRE(programs->trees.countPrepared() == 1);
    pid_t found = 0;
    await([&]() { return (found = findWaiting()) != 0; });
    return found;
  }
  kj::String groupOfWaiting() { return KJ_REQUIRE_NONNULL(groupOfPid(waiting())); }

  static kj::String nameOf(pid_t pid) { return readTextFile(kj::str("/proc/", pid, "/comm")); }

private:
  kj::Maybe<kj::String> groupOfPid(pid_t pid) {
    for (auto& group : groups()) {
      if (read(kj::str(group, "/cgroup.procs")) == kj::str(pid, '\n')) return kj::mv(group);
    }
    return nullptr;
  }
  pid_t findWaiting() {
    for (auto& group : groups()) {
      const pid_t pid = atoi(read(kj::str(group, "/cgroup.procs")).cStr());
      if (pid > 0 && nameOf(pid) == kj::str(WAITING_NAME, '\n')) return pid;
    }
    return 0;
  }
};

#define WITH_WAITING(world) \
  World world;              \
  if (world.cgroupRoot == nullptr) SKIP("no cgroup v2 that this user may write")

TEST_CASE("P13 the child that waits in the next control group becomes the next program") {
  WITH_WAITING(world);
  const auto next = world.waiting();
  auto child = world.start("exec sleep 1000");
  CHECK(child->pid() == next);
  CHECK(world.nameOf(next) != kj::str(WAITING_NAME, '\n'));
  CHECK(world.read(kj::str(world.groupOf(*child), "/cgroup.procs")) == kj::str(next, '\n'));
  CHECK(child->countMembers() == 1);
  world.signal(*child, SIGKILL);
  CHECK(child->onExit().wait(world.scope).number == SIGKILL);
}

TEST_CASE("S41 a child that waits has a session of its own and holds nothing open but its socket") {
  WITH_WAITING(world);
  const auto next = world.waiting();
  CHECK(getsid(next) == next);
  kj::Vector<kj::String> open;
  for (auto& name : kj::newDiskFilesystem()
                        ->getRoot()
                        .openSubdir(kj::Path({"proc", kj::str(next), "fd"}))
                        ->listNames()) {
    open.add(kj::mv(name));
  }
  REQUIRE(open.size() == 1);
  CHECK(open[0] == "3");
}

TEST_CASE("P13 whatever root does to the child that waits, the next program starts") {
  WITH_WAITING(world);
  const auto next = world.waiting();
  auto group = world.groupOfWaiting();
  SECTION("killed, and the agent does not know it") {
    kill(next, SIGKILL);
    siginfo_t info;
    KJ_SYSCALL(waitid(P_PID, next, &info, WEXITED | WNOWAIT));
  }
  SECTION("killed with its group") {
    world.empty();
    world.await([&]() { return world.programs->trees.countPrepared() == 0; });
  }
  SECTION("killed, as the agent knows") {
    kill(next, SIGKILL);
    world.await([&]() { return world.programs->trees.countPrepared() == 0; });
  }
  SECTION("told to end") {
    kill(next, SIGTERM);
    world.await([&]() { return world.programs->trees.countPrepared() == 0; });
  }
  SECTION("stopped") {
    kill(next, SIGSTOP);
    siginfo_t info;
    KJ_SYSCALL(waitid(P_PID, next, &info, WSTOPPED | WNOWAIT));
    auto child = world.start("exit 7");
    CHECK(child->pid() == next);
    CHECK(child->onExit().wait(world.scope).number == 7);
  }
  SECTION("moved elsewhere") {
    REQUIRE(world.write(kj::str(world.root(), "/../terminals/cgroup.procs"), kj::str(next)));
    auto child = world.start("exec sleep 1000");
    CHECK(child->pid() != next);
    CHECK(world.groupOf(*child) != group);
    world.await([&]() { return kill(next, 0) < 0 && access(group.cStr(), F_OK) != 0; });
    world.signal(*child, SIGKILL);
    child->onExit().wait(world.scope);
  }
  SECTION("frozen") {
    REQUIRE(world.freezes(group));
    auto child = world.start("exec sleep 1000");
    CHECK(child->pid() != next);
    // It and its group go.
    world.await([&]() { return kill(next, 0) < 0 && access(group.cStr(), F_OK) != 0; });
    world.signal(*child, SIGKILL);
    child->onExit().wait(world.scope);
  }
  for (int i = 0; i < 3; i++) CHECK(world.runs());
}

TEST_CASE("a child that waits is no program, and a fault of its own is nobody's") {
  WITH_WAITING(world);
  HeardPrograms heard;
  world.programs->listener = heard;
  const auto next = world.waiting();
  CHECK(heard.running.commands == 0);
  CHECK(world.programs->trees.isPrepared(next));
  CHECK_FALSE(world.programs->trees.isPrepared(getpid()));
  CHECK(world.programs->trees.leaderOf(next) == nullptr);
  const auto ends = heard.ends;
  kill(next, SIGKILL);
  world.await([&]() { return world.programs->trees.countPrepared() == 0; });
  CHECK(heard.ends == ends);
  world.programs->listener = nullptr;
}

TEST_CASE("P45 with the order to end the machine no child waits any more, and none is made") {
  WITH_WAITING(world);
  auto running = world.start("exec sleep 1000");
  REQUIRE(world.runs());
  world.settle();
  world.programs->endStarts();
  world.signal(*running, SIGKILL);
  running->onExit().wait(world.scope);
  running = nullptr;
  world.programs->reaper.onChildless().wait(world.scope);
  world.await([&]() { return world.groups().empty(); });
}

TEST_CASE("S42 children that wait end with what has made them") {
  auto io = setupTestIo();
  LoopTouches touches;
  Reaper reaper(io.unixEventPort, touches.markOfAnybody());
  pid_t pid = 0;
  SECTION("dropped, they are killed") {
    Spawner spawner(io.unixEventPort, reaper);
    auto prepared = spawner.prepare(nullptr);
    pid = KJ_ASSERT_NONNULL(prepared)->pid();
    CHECK(KJ_ASSERT_NONNULL(prepared)->isWaiting());
    CHECK(spawner.startingBytes() == 0);
    prepared = nullptr;
    reaper.onChildless().wait(io.waitScope);
  }
  SECTION("with the spawner, they have left the memory before it goes") {
    kj::Maybe<Spawner> spawner;
    spawner.emplace(io.unixEventPort, reaper);
    {
      auto prepared = KJ_ASSERT_NONNULL(spawner).prepare(nullptr);
      pid = KJ_ASSERT_NONNULL(prepared)->pid();
    }
    spawner = nullptr;
    reaper.onChildless().wait(io.waitScope);
  }
  CHECK(kill(pid, 0) < 0);
}

}  // namespace
}  // namespace bothy
