// What a program and the guest's root do to control groups.
#include "process/process-tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "process/cgroup.h"
#include "process/child-process.h"
#include "process/session-tree.h"
#include "process/test-trees.h"

namespace bothy {
namespace {

using World = TreesWorld;

TEST_CASE("each program has a control group that is new, and none is left") {
  WITH_CGROUPS(world);
  kj::String first;
  {
    auto child = world.start("exec sleep 1000");
    first = world.groupOf(*child);
    world.signal(*child, SIGKILL);
    child->onExit().wait(world.scope);
  }
  world.settle();
  CHECK(access(first.cStr(), F_OK) != 0);
  for (int i = 0; i < 20; i++) REQUIRE(world.runs());
  world.settle();
  CHECK(world.groups().size() <= 4);
}

TEST_CASE(
    "P13 a program that nested its control group, and froze or removed others, keeps none from "
    "starting") {
  WITH_CGROUPS(world);
  REQUIRE(world.runs());
  SECTION("nested") {
    auto child = world.start("exec sleep 1000");
    auto group = world.groupOf(*child);
    auto leaf = kj::str(group, "/leaf"), deeper = kj::str(leaf, "/deeper");
    REQUIRE(mkdir(leaf.cStr(), 0755) == 0);
    REQUIRE(mkdir(deeper.cStr(), 0755) == 0);
    REQUIRE(world.write(kj::str(deeper, "/cgroup.procs"), kj::str(child->pid())));
    CHECK(child->countMembers() == 1);
    world.signal(*child, SIGTERM);
    child->onExit().wait(world.scope);
    child = nullptr;
    world.settle();
    CHECK(access(group.cStr(), F_OK) != 0);
  }
  SECTION("removed while it was idle, and while its program is held") {
    auto child = world.start("exit 0");
    child->onExit().wait(world.scope);
    world.empty();
    for (auto& group : world.groups()) rmdir(group.cStr());
    CHECK(child->countMembers() == 0);
    CHECK_FALSE(world.signal(*child, SIGTERM));
    CHECK_FALSE(world.signal(*child, SIGKILL));
    child->end().wait(world.scope);
  }
  SECTION("frozen") {
    world.settle();
    for (auto& group : world.groups()) CHECK(world.freezes(group));
  }
  SECTION("threaded") {
    world.settle();
    world.empty();
    for (auto& group : world.groups())
      CHECK(world.write(kj::str(group, "/cgroup.type"), "threaded"));
    auto child = world.start("sleep 1000 & sleep 1000");
    CHECK(world.signal(*child, SIGKILL));
    child->onExit().wait(world.scope);
    world.onChildless().wait(world.scope);
  }
  SECTION("no more are allowed") {
    world.settle();
    world.empty();
    for (auto& group : world.groups()) rmdir(group.cStr());
    REQUIRE(world.write(kj::str(world.root(), "/cgroup.max.descendants"), "0"));
  }
  for (int i = 0; i < 8; i++) REQUIRE(world.runs());
}

TEST_CASE("P13 a kill of the tree leaves nobody, double-forked or nested, however fast it forks") {
  WITH_CGROUPS(world);
  int ends[2];
  KJ_SYSCALL(pipe2(ends, O_CLOEXEC));
  kj::AutoCloseFd reader(ends[0]), writer(ends[1]);
  auto child = world.start(
      "trap '' HUP TERM; (setsid sh -c 'while :; do (sleep 1000 &); sleep 0.001; done' &); "
      "(setsid sleep 1000 & echo $!); exec sleep 1000",
      writer.get());
  char line[16] = {};
  REQUIRE(::read(reader.get(), line, sizeof(line) - 1) > 0);
  for (auto& group : world.groups()) {
    auto leaf = kj::str(group, "/nested");
    if (world.read(kj::str(group, "/cgroup.procs")).size() == 0) continue;
    REQUIRE(mkdir(leaf.cStr(), 0755) == 0);
    REQUIRE(world.write(kj::str(leaf, "/cgroup.procs"), line));
  }
  CHECK(world.signal(*child, SIGKILL));
  child->onExit().wait(world.scope);
  world.onChildless().wait(world.scope);
  CHECK(child->countMembers() == 0);
}

TEST_CASE("P13 a signal to the tree reaches those that fork while it is sent") {
  WITH_CGROUPS(world);
  // Each link starts the next and goes: there is always one that is being forked.
  auto child = world.start(
      "f() { (f &) }; g() { (g &) }; trap 'exit 9' HUP; (f &); (g &); while :; do sleep 0.01; "
      "done");
  for (int i = 0; i < 3; i++)
    world.io.provider->getTimer().afterDelay(kj::MILLISECONDS).wait(world.scope);
  CHECK(world.signal(*child, SIGTERM));
  child->onExit().wait(world.scope);
  world.onChildless().wait(world.scope);
}

TEST_CASE("a tree that root has frozen stays frozen, and is ended all the same") {
  WITH_CGROUPS(world);
  auto child = world.start("exec sleep 1000");
  auto freeze = kj::str(world.groupOf(*child), "/cgroup.freeze");
  REQUIRE(world.write(freeze, "1"));
  CHECK(world.signal(*child, SIGCONT));
  CHECK(world.read(freeze) == "1\n");
  CHECK(world.signal(*child, SIGKILL));
  child->onExit().wait(world.scope);
}

TEST_CASE("P45 what is frozen goes on, wherever root has frozen it") {
  WITH_CGROUPS(world);
  auto child = world.start("exec sleep 1000");
  auto group = world.groupOf(*child);
  auto nested = kj::str(group, "/nested");
  REQUIRE(mkdir(nested.cStr(), 0755) == 0);
  for (auto& frozen : {kj::str(group), kj::str(nested)}) {
    REQUIRE(world.write(kj::str(frozen, "/cgroup.freeze"), "1"));
  }
  thawWithin(KJ_ASSERT_NONNULL(world.cgroupRoot), ProgramMark());
  CHECK(world.read(kj::str(group, "/cgroup.freeze")) == "0\n");
  CHECK(world.read(kj::str(nested, "/cgroup.freeze")) == "0\n");
  world.signal(*child, SIGKILL);
  child->onExit().wait(world.scope);
}

TEST_CASE("S42 each step of a walk over control groups is a touch of its own") {
  constexpr uint NESTED = 10;
  constexpr uint STEPS_OF_EACH = 3;  // it is found, opened and looked at
  char name[] = "/tmp/bothy-test-XXXXXX";
  REQUIRE(mkdtemp(name) != nullptr);
  for (uint i = 0; i < NESTED; i++) REQUIRE(mkdir(kj::str(name, '/', i).cStr(), 0700) == 0);
  LoopTouches touches;
  thawWithin(name, touches.markOfAnybody());
  // Begun and ended.
  CHECK(touches.state().number >= 2 * NESTED * STEPS_OF_EACH);
  CHECK_FALSE(touches.state().isTouch());
  for (uint i = 0; i < NESTED; i++) rmdir(kj::str(name, '/', i).cStr());
  rmdir(name);
}

TEST_CASE("where nothing can be frozen it is looked again until nobody new is found") {
  int none = 0;
  for (pid_t members = 1; members <= 3; members++) {
    pid_t shown = 0;
    uint looks = 0;
    signalAll(kj::arrayPtr(&none, 1), [&]() {
      looks++;
      kj::Vector<pid_t> result;
      shown = kj::min(shown + 1, members);
      for (pid_t i = 0; i < shown; i++) result.add(getpid() + i);
      return result;
    });
    CHECK(looks == uint(members) + 1);
  }
}

TEST_CASE("without a control group to be in an agent serves all the same") {
  auto io = setupTestIo();
  LoopTouches touches;
  Reaper reaper(io.unixEventPort);
  Spawner spawner(io.unixEventPort, reaper);
  ProcessTrees trees(io.unixEventPort, touches, spawner, "/no/such/cgroup"_kj);
  CHECK(trees.create()->cgroupFd() == nullptr);
}

// Ends this process with 0 if its loop goes on while it waits for a tree of which no member can be watched.
[[noreturn]] void waitForUnwatchable() {
  constexpr uint LIMIT_SECONDS = 10;
  alarm(LIMIT_SECONDS);
  auto io = setupTestIo();
  auto tree = newSessionTree(io.unixEventPort);
  const pid_t member = fork();
  if (member == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setsid();
    pause();
    _exit(0);
  }
  tree->adopt(member);
  // As if no descriptor were left, at that moment alone.
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EMFILE),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog program = {static_cast<unsigned short>(kj::size(filter)), filter};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) _exit(2);
  auto empty = tree->onEmpty().then([]() { return true; });
  auto later =
      io.provider->getTimer().afterDelay(100 * kj::MILLISECONDS).then([]() { return false; });
  const bool isEmpty = empty.exclusiveJoin(kj::mv(later)).wait(io.waitScope);
  kill(member, SIGKILL);
  _exit(isEmpty ? 1 : 0);
}

TEST_CASE("a tree of which no member can be watched is looked at again, and holds nothing up") {
  pid_t child;
  KJ_SYSCALL(child = fork());
  if (child == 0) waitForUnwatchable();
  int status;
  KJ_SYSCALL(waitpid(child, &status, 0));
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace bothy
