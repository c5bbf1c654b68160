// What becomes of workspaces when something that bothyd depends on hangs, is locked, or is full.

#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <fstream>
#include <string>

#include "support/event-record.h"
#include "support/host-program.h"
#include "support/test-workspace.h"

namespace bothy {
namespace {

template <typename Request>
auto named(Request&& request, kj::StringPtr name = "test") {
  request.setName(name);
  return kj::mv(request);
}

rpc::WorkspaceState stateOf(SupervisedHost& host, kj::StringPtr name = "test") {
  auto response =
      host.wait(named(host.supervisor().getRequest(), name).send().dropPipeline(), "the state");
  REQUIRE(response.getOutcome().isFound());
  return response.getOutcome().getFound().getState();
}

rpc::Supervisor::StopKind stop(SupervisedHost& host, uint32_t graceMillis) {
  auto request = named(host.supervisor().stopRequest());
  request.setGraceMillis(graceMillis);
  auto response = host.wait(request.send().dropPipeline(), "the stop", SupervisedHost::BOOT_LIMIT);
  REQUIRE(response.getOutcome().isStopped());
  return response.getOutcome().getStopped();
}

void erase(SupervisedHost& host) {
  host.wait(named(host.supervisor().deleteRequest()).send().dropPipeline(), "the deletion",
            SupervisedHost::BOOT_LIMIT);
  auto response =
      host.wait(named(host.supervisor().getRequest()).send().dropPipeline(), "the state");
  CHECK(response.getOutcome().isAbsent());
}

// Also one that nobody has waited for yet.
bool isGone(pid_t pid) {
  std::ifstream status(kj::str("/proc/", pid, "/status").cStr());
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with("State:")) return line.find('Z') != std::string::npos;
  }
  return true;
}

void start(TestWorkspace& workspace) {
  auto& host = workspace.host;
  auto response = host.wait(named(host.supervisor().startRequest()).send().dropPipeline(),
                            "the start", SupervisedHost::BOOT_LIMIT);
  KJ_REQUIRE(response.getOutcome().isStarted(), response.getOutcome());
  workspace.reconnect();
}

TEST_CASE("P28 a QEMU that hangs is stopped by force, and its workspace starts again") {
  SupervisedHost host;
  TestWorkspace workspace(host);
  const pid_t qemu = workspace.qemu();
  KJ_SYSCALL(kill(qemu, SIGSTOP));
  CHECK(stop(host, 1000) == rpc::Supervisor::StopKind::FORCED);
  CHECK(isGone(qemu));
  start(workspace);
  CHECK(workspace.shell("echo again") == "again");
}

TEST_CASE("P28 a vsock device that hangs makes its agent unreachable, and can be deleted") {
  SupervisedHost host;
  TestWorkspace workspace(host);
  const pid_t device = workspace.vsockDevice(), qemu = workspace.qemu();
  KJ_SYSCALL(kill(device, SIGSTOP));
  host.restart(SIGKILL);
  auto response =
      host.wait(named(host.supervisor().connectRequest()).send().dropPipeline(), "the capability");
  CHECK(response.getOutcome().isUnreachable());
  erase(host);
  CHECK(isGone(device));
  CHECK(isGone(qemu));
}

TEST_CASE("P12 a kernel that panics is told with its cause, and the workspace starts again") {
  SupervisedHost host;
  TestWorkspace workspace(host);
  workspace.shell("echo kept > ~/file; sync");
  EventRecord events(host);
  auto dying = workspace.start(
      {"/bin/sh"_kj, "-c"_kj, "echo 1 > /proc/sys/kernel/panic; echo c > /proc/sysrq-trigger"_kj},
      "root");
  events.waitFor(rpc::Cause::VM_EXITED);
  CHECK_THROWS_AS(host.wait(kj::mv(dying), "the call's end"), kj::Exception);
  CHECK(stateOf(host) == rpc::WorkspaceState::FAILED);
  CHECK(kj::StringPtr(events.all().back().getDetail()) == "the machine's kernel panicked");
  start(workspace);
  CHECK(workspace.shell("cat ~/file") == "kept");
}

// A process that holds a lock on the database until it is told to end.
class DatabaseLock final {
public:
  explicit DatabaseLock(SupervisedHost& host) {
    auto database = kj::str(host.directory(), "/state/bothyd.db");
    auto held = kj::str(host.directory(), "/held");
    auto script = kj::str(
        "import sqlite3, time\n"
        "c = sqlite3.connect('",
        database,
        "', isolation_level=None)\n"
        "c.execute('BEGIN IMMEDIATE')\n"
        "open('",
        held,
        "', 'w')\n"
        "time.sleep(1000)\n");
    program = fork();
    if (program == 0) {
      execlp("python3", "python3", "-c", script.cStr(), nullptr);
      _exit(127);
    }
    KJ_REQUIRE(program > 0);
    while (!std::filesystem::exists(held.cStr())) {
      KJ_REQUIRE(waitpid(program, nullptr, WNOHANG) == 0, "the database could not be locked");
      host.timer.afterDelay(20 * kj::MILLISECONDS).wait(host.scope);
    }
  }
  ~DatabaseLock() {
    kill(program, SIGKILL);
    waitpid(program, nullptr, 0);
  }
  KJ_DISALLOW_COPY_AND_MOVE(DatabaseLock);

private:
  pid_t program;
};

TEST_CASE(
    "P28 R02 while the database is locked nothing begins, what runs goes on, and nothing is lost") {
  SupervisedHost host;
  TestWorkspace workspace(host);
  {
    DatabaseLock lock(host);
    auto create = host.supervisor().createRequest();
    create.initSpec().setName("other");
    auto answer = kj::runCatchingExceptions(
        [&]() { host.wait(create.send().dropPipeline().ignoreResult(), "the creation"); });
    REQUIRE(answer != nullptr);
    INFO(KJ_ASSERT_NONNULL(answer).getDescription().cStr());
    CHECK(KJ_ASSERT_NONNULL(answer).getType() == kj::Exception::Type::OVERLOADED);
    CHECK(workspace.shell("echo goes on") == "goes on");
  }
  auto list = host.wait(host.supervisor().listRequest().send().dropPipeline(), "the list");
  CHECK(list.getWorkspaces().size() == 1);
  TestWorkspace other(host, {.name = "other"});
  CHECK(other.shell("echo runs") == "runs");
  host.restart(SIGKILL);
  CHECK(stateOf(host) == rpc::WorkspaceState::RUNNING);
  CHECK(stateOf(host, "other") == rpc::WorkspaceState::RUNNING);
}

TEST_CASE(
    "P28 R02 with a read-only database bothyd does not start and says so, and machines go on") {
  SupervisedHost host;
  TestWorkspace workspace(host);
  const pid_t qemu = workspace.qemu();
  auto state = kj::str(host.directory(), "/state");
  host.stop(SIGKILL);
  KJ_SYSCALL(mount(state.cStr(), state.cStr(), nullptr, MS_BIND, nullptr));
  KJ_DEFER(umount2(state.cStr(), MNT_DETACH));
  KJ_SYSCALL(mount(nullptr, state.cStr(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr));
  host.start();
  host.awaitEnd();
  auto log = hostOutput({"/usr/bin/tail"_kj, "-n"_kj, "1"_kj, host.log()});
  INFO(log.cStr());
  CHECK(strstr(log.cStr(), "Read-only file system") != nullptr);
  CHECK_FALSE(isGone(qemu));
  KJ_SYSCALL(mount(nullptr, state.cStr(), nullptr, MS_REMOUNT | MS_BIND, nullptr));
  host.start();
  workspace.reconnect();
  CHECK(workspace.qemu() == qemu);
  CHECK(workspace.shell("echo goes on") == "goes on");
}

// A host whose state directory is a file system of its own, which may be full.
class SmallDisk final {
public:
  explicit SmallDisk(SupervisedHost& host, kj::StringPtr size)
      : state(kj::str(host.directory(), "/state")), ballast(kj::str(state, "/ballast")) {
    host.wait(host.supervisor().listRequest().send().dropPipeline(), "the list");
    host.stop(SIGTERM);
    auto options = kj::str("size=", size, ",mode=0711");
    KJ_SYSCALL(mount("tmpfs", state.cStr(), "tmpfs", 0, options.cStr()), state);
    host.start();
  }
  ~SmallDisk() { umount2(state.cStr(), MNT_DETACH); }
  KJ_DISALLOW_COPY_AND_MOVE(SmallDisk);

  // Leaves so many KiB free.
  void fill(uint64_t keepKib) {
    runProgram({"/bin/sh"_kj, "-c"_kj,
                kj::str("cat /dev/zero > ", ballast, "; truncate -s -", keepKib, "K ", ballast)});
  }
  void drain() { std::filesystem::remove(ballast.cStr()); }

private:
  kj::String state;
  kj::String ballast;
};

TEST_CASE("P28 on a full disk a workspace can be deleted, and that makes room") {
  SupervisedHost host;
  SmallDisk disk(host, "700M");
  TestWorkspace workspace(host);
  workspace.shell("head -c 50M /dev/urandom > ~/much; sync");
  disk.fill(0);
  erase(host);
  disk.drain();
  TestWorkspace again(host, {.name = "again"});
  CHECK(again.shell("echo runs") == "runs");
}

// Whether it was made.
bool createOnly(SupervisedHost& host, kj::StringPtr name) {
  auto request = host.supervisor().createRequest();
  auto spec = request.initSpec();
  spec.setName(name);
  spec.setDiskMib(256);
  request.setStart(false);
  auto response = host.wait(request.send().dropPipeline(), "the creation");
  auto outcome = response.getOutcome();
  INFO(kj::str(outcome).cStr());
  CHECK((outcome.isCreated() || outcome.isNoSpace() || outcome.isFailed()));
  return outcome.isCreated();
}

TEST_CASE("R02 however little room the disk has, a creation is whole or is not") {
  SupervisedHost host;
  SmallDisk disk(host, "900M");
  // From no room at all to enough: it fails at each of its steps on the way.
  bool made = false;
  for (uint64_t keep : {0, 4, 16, 64, 256, 1024, 4096, 400000, 600000}) {
    INFO(keep << " KiB are free");
    disk.fill(keep);
    made = createOnly(host, "test");
    disk.drain();
    if (made) break;
    auto list = host.wait(host.supervisor().listRequest().send().dropPipeline(), "the list");
    CHECK(list.getWorkspaces().size() == 0);
    CHECK(std::filesystem::is_empty(kj::str(host.directory(), "/state/volumes").cStr()));
    // With room there is a reserve again.
    REQUIRE(createOnly(host, "other"));
    host.wait(named(host.supervisor().deleteRequest(), "other").send().dropPipeline(),
              "the deletion");
  }
  CHECK(made);
}

}  // namespace
}  // namespace bothy
