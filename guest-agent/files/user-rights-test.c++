// What the kernel shows by who asks: a file worker is asked by its user.

#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch_test_macros.hpp>

#include "files/files-facet.h"
#include "files/files-test-world.h"

namespace bothy {
namespace {

using Collected = FilesTestWorld::Collected;
using Reason = rpc::FileFailure::Reason;

// Beneath the machine's "/".
struct MachineWorld: public FilesTestWorld {
  WorkspaceRoot machineRoot = WorkspaceRoot(openRoot("/"));
  MachineWorld() {
    files = newFilesFacet(programs, machineRoot, user.home, limits, counters->addRef());
  }

  kj::String readAll(kj::StringPtr path) {
    Collected collected;
    auto answer = read(path, collected);
    REQUIRE_FALSE(answer.getOutcome().isFailed());
    return kj::heapString(collected.bytes.asPtr().asChars());
  }
  Reason readFailure(kj::StringPtr path) {
    Collected collected;
    auto answer = read(path, collected);
    CHECK(collected.count == 0);
    REQUIRE(answer.getOutcome().isFailed());
    return answer.getOutcome().getFailed().getReason();
  }
};

// Where the stack of a process begins, out of its /proc/PID/stat (proc(5)): 0 for who may not trace it.
uint64_t stackStart(kj::StringPtr stat) {
  constexpr uint NAME_FIELD = 2, STACK_START_FIELD = 28;
  const char* at = strrchr(stat.cStr(), ')');
  for (uint field = NAME_FIELD; field < STACK_START_FIELD; ++field) {
    if (at != nullptr) at = strchr(at + 1, ' ');
  }
  KJ_REQUIRE(at != nullptr, "a line of other fields", stat);
  return strtoull(at + 1, nullptr, 10);
}

TEST_CASE("S42 what a file says by who reads it is what it says to the user") {
  if (geteuid() != 0) SKIP("needs another user");
  MachineWorld w;
  auto asRoot = kj::heap<ActingRoot>();
  kj::AutoCloseFd nullDevice(open("/dev/null", O_RDWR | O_CLOEXEC));
  // A process of root's, as those of the kernel's addresses are.
  auto spawned = w.programs.spawner
                     .spawn(SpawnRequest{
                         .programs = kj::arr(kj::str("/bin/sleep")),
                         .arguments = kj::arr(kj::str("sleep"), kj::str("1000")),
                         .environment = nullptr,
                         .workingDirectory = kj::str("/"),
                         .credentials = nullptr,
                         .standardFds = {nullDevice, nullDevice, nullDevice},
                         .cgroupFd = nullptr,
                     })
                     .wait(w.scope);
  auto& sleep = spawned.get<SpawnedProcess>();
  KJ_DEFER({
    ActingRoot again;
    kill(sleep.pid, SIGKILL);
    sleep.exit.wait(w.scope);
  });
  auto path = kj::str("/proc/", sleep.pid, "/stat");
  kj::AutoCloseFd toRoot(open(path.cStr(), O_RDONLY | O_CLOEXEC));
  auto ofRoot = stackStart(kj::FdInputStream(toRoot.get()).readAllText());
  asRoot = nullptr;
  auto ofUser = stackStart(w.readAll(path));
  if (ofRoot == 0) SKIP("root may not trace here");
  CHECK(ofUser == 0);
}

TEST_CASE("S42 what the kernel shows of the agent is not the user's to read") {
  MachineWorld w;
  auto own = kj::str("/proc/", getpid());
  for (auto name : {"maps", "smaps", "stat", "numa_maps", "fdinfo/0"}) {
    INFO(name);
    CHECK(w.readFailure(kj::str(own, '/', name)) == Reason::PERMISSION_DENIED);
    CHECK(w.readFailure(kj::str("/proc/self/", name)) == Reason::PERMISSION_DENIED);
    CHECK(w.readFailure(kj::str("/proc/thread-self/", name)) == Reason::PERMISSION_DENIED);
  }
  CHECK(w.stat("/proc/self/fd/0", false).getOutcome().isFailed());
  CHECK(w.list("/proc/self/fd", 0, 0).getOutcome().isFailed());

  // The machine's own names.
  CHECK(w.readAll("/proc/mounts").size() > 0);
  CHECK(w.readAll("/proc/net/dev").size() > 0);
  CHECK(w.stat(own).getOutcome().isEntry());
}

TEST_CASE("S42 what the kernel shows of the agent is not root's to read over a lane") {
  if (geteuid() != 0) SKIP("needs root");
  MachineWorld w;
  ActingRoot root;
  // In a machine that is the agent, and this a worker of it.
  for (auto name : {"maps", "stat", "task/1/stat"}) {
    INFO(name);
    CHECK(w.readFailure(kj::str("/proc/1/", name)) == Reason::PERMISSION_DENIED);
  }
  CHECK(w.readAll("/proc/1/status").size() > 0);
}

TEST_CASE(
    "S42 what the kernel shows of the agent is not the user's in another mount of it either") {
  if (geteuid() != 0) SKIP("needs to mount");
  // Whatever is mounted is gone with this process.
  if (unshare(CLONE_NEWNS) < 0) SKIP("no mount namespace of its own here");
  KJ_SYSCALL(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr));
  MachineWorld w;
  for (auto name : {"a proc", "process", "other"}) w.world.makeDirectory(kj::str("root/", name));
  w.world.write("root/maps", "");
  const auto own = kj::str("/proc/", getpid());
  auto at = [&](kj::StringPtr name) { return kj::str(w.world.at("root"), '/', name); };
  KJ_DEFER({
    ActingRoot root;
    for (auto name : {"a proc", "process", "other", "maps"}) {
      umount2(at(name).cStr(), MNT_DETACH);
    }
  });
  auto asRoot = kj::heap<ActingRoot>();
  KJ_SYSCALL(mount("proc", at("a proc").cStr(), "proc", 0, nullptr));
  KJ_SYSCALL(mount(own.cStr(), at("process").cStr(), nullptr, MS_BIND, nullptr));
  pid_t child;
  KJ_SYSCALL(child = fork());
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) pause();
  }
  KJ_DEFER({
    ActingRoot root;
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  });
  KJ_SYSCALL(mount(kj::str("/proc/", child).cStr(), at("other").cStr(), nullptr, MS_BIND, nullptr));
  KJ_SYSCALL(mount(kj::str(own, "/maps").cStr(), at("maps").cStr(), nullptr, MS_BIND, nullptr));
  asRoot = nullptr;
  const auto ofThread = kj::str("task/", getpid(), "/maps");
  for (auto path : {"maps"_kj, "stat"_kj, "fdinfo/0"_kj, ofThread.asPtr()}) {
    INFO(path.cStr());
    CHECK(w.readFailure(at(kj::str("a proc/", getpid(), '/', path))) == Reason::PERMISSION_DENIED);
    CHECK(w.readFailure(at(kj::str("a proc/self/", path))) == Reason::PERMISSION_DENIED);
    CHECK(w.readFailure(at(kj::str("process/", path))) == Reason::PERMISSION_DENIED);
  }
  CHECK(w.readFailure(at("maps")) == Reason::PERMISSION_DENIED);
  // What everybody may read, and what others' processes show.
  CHECK(w.readAll(at("a proc/mounts")).size() > 0);
  CHECK(w.readAll(at("process/status")).size() > 0);
  CHECK(w.readAll(at("other/stat")).size() > 0);
}

}  // namespace
}  // namespace bothy
