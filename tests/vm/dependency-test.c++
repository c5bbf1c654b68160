// What becomes of workspaces when something that bothyd depends on hangs or is locked.  All scenarios share a host.

#include <poll.h>
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
#include "support/shared-workspace.h"
#include "vm/vsock-device.h"

namespace bothy {
namespace {

// Also one that nobody has waited for yet.
bool isGone(pid_t pid) {
  std::ifstream status(kj::str("/proc/", pid, "/status").cStr());
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with("State:")) return line.find('Z') != std::string::npos;
  }
  return true;
}

TEST_CASE("P28 a QEMU that hangs is stopped by force, and its workspace starts again") {
  auto& [host, workspace] = sharedWorkspace();
  const pid_t qemu = workspace.qemu();
  stopAndWait(qemu);
  CHECK(host.stopWorkspace("test", 1000) == rpc::Supervisor::StopKind::FORCED);
  CHECK(isGone(qemu));
  workspace.startAgain();
  CHECK(workspace.shell("echo again") == "again");
}

TEST_CASE("P28 a vsock device that hangs makes its agent unreachable, and can be deleted") {
  auto& host = sharedWorkspace().host;
  TestWorkspace workspace(host, {.name = "hung"});
  const pid_t device = workspace.vsockDevice(), qemu = workspace.qemu();
  stopAndWait(device);
  host.restart(SIGKILL);
  auto response = workspace.connect([](auto wanted) { wanted.setCommands(); });
  CHECK(response.getOutcome().isUnreachable());
  host.deleteWorkspace("hung");
  CHECK(isGone(device));
  CHECK(isGone(qemu));
}

TEST_CASE(
    "S26 a lane that does not end is ended with its machine's device, and who comes back is "
    "served") {
  auto& [host, workspace] = sharedWorkspace();
  EventRecord events(host, EventRecord::newest(host));
  const pid_t device = workspace.vsockDevice();
  {
    auto lane = workspace.connect([](auto wanted) { wanted.setCommands(); });
    REQUIRE(lane.getOutcome().isConnected());
    stopAndWait(device);
  }
  events.waitFor(rpc::Cause::VSOCK_LOST);
  CHECK(isGone(device));
  events.waitFor(rpc::Cause::VSOCK_RESTORED);
  workspace.reconnect();
  CHECK(workspace.shell("echo again") == "again");
}

TEST_CASE("P41 the guest ends the lanes of a client that died with bytes unread, without bothyd") {
  auto& [host, workspace] = sharedWorkspace();
  auto count = "ss -H --vsock state established | wc -l"_kj;
  // bothyd's control lane and the one that it keeps ready, and the test's own.
  constexpr int BEFORE = 3;
  constexpr int LANES = 3;
  auto await = [&](kj::StringPtr condition) {
    workspace.shell(kj::str("for i in $(seq 300); do test $(", count, ") ", condition, " ", BEFORE,
                            " && exit 0; sleep 0.1; done; exit 1"));
  };
  await("-eq");
  {
    kj::Vector<TestWorkspace::Connected> lanes;
    for (int i = 0; i < LANES; i++) {
      lanes.add(workspace.connect([](auto wanted) { wanted.setInteractive(); }));
      auto fd = KJ_REQUIRE_NONNULL(host.wait(lanes[i].getLane().getFd(), "the descriptor"));
      // The Welcome, which nobody reads.
      pollfd unread = {fd, POLLIN, 0};
      REQUIRE(poll(&unread, 1, 10000) == 1);
    }
    CHECK(atoi(workspace.shell(count).cStr()) >= BEFORE + LANES - 1);
    // Now nobody else has their sockets, which are closed at this block's end.
    host.restart(SIGKILL);
  }
  await("-le");
}

// By a dial that is broken off when the device has asked the guest, which answers later.
void breakWorker(TestWorkspace& workspace, pid_t device) {
  for (int attempt = 0; hasVsockWorker(device); attempt++) {
    REQUIRE(attempt < 100);
    stopAndWait(workspace.qemu());
    workspace.breakOffDial();
    KJ_SYSCALL(kill(workspace.qemu(), SIGCONT));
    workspace.host.timer.afterDelay(200 * kj::MILLISECONDS).wait(workspace.host.scope);
  }
}

TEST_CASE("P09 a vsock device that serves no more is replaced, though nobody dials") {
  auto& [host, workspace] = sharedWorkspace();
  EventRecord events(host, EventRecord::newest(host));
  const pid_t device = workspace.vsockDevice();
  REQUIRE(hasVsockWorker(device));
  breakWorker(workspace, device);
  events.waitFor(rpc::Cause::VSOCK_RESTORED);
  CHECK(isGone(device));
  workspace.reconnect();
  CHECK(workspace.shell("echo again") == "again");
}

TEST_CASE("P41 a vsock device that the end of a bothyd broke is replaced by the next bothyd") {
  auto& [host, workspace] = sharedWorkspace();
  const pid_t device = workspace.vsockDevice();
  REQUIRE(hasVsockWorker(device));
  const auto newest = EventRecord::newest(host);
  host.stop(SIGKILL);
  breakWorker(workspace, device);
  host.start();
  EventRecord events(host, newest);
  events.waitFor(rpc::Cause::VSOCK_RESTORED);
  CHECK(isGone(device));
  workspace.reconnect();
  CHECK(workspace.shell("echo again") == "again");
}

TEST_CASE("P12 a kernel that panics is told with its cause, and the workspace starts again") {
  auto& [host, workspace] = sharedWorkspace();
  workspace.shell("echo kept > ~/file; sync");
  EventRecord events(host, EventRecord::newest(host));
  auto dying = workspace.start(
      {"/bin/sh"_kj, "-c"_kj, "echo 1 > /proc/sys/kernel/panic; echo c > /proc/sysrq-trigger"_kj},
      "root");
  events.waitFor(rpc::Cause::VM_EXITED);
  CHECK_THROWS_AS(host.wait(kj::mv(dying), "the call's end"), kj::Exception);
  CHECK(host.stateOf("test") == rpc::WorkspaceState::FAILED);
  CHECK(kj::StringPtr(events.ofHost().back().getDetail()) == "the machine's kernel panicked");
  workspace.startAgain();
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
  auto& [host, workspace] = sharedWorkspace();
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
  CHECK(host.stateOf("test") == rpc::WorkspaceState::RUNNING);
  CHECK(host.stateOf("other") == rpc::WorkspaceState::RUNNING);
  host.deleteWorkspace("other");
}

TEST_CASE(
    "P28 R02 with a read-only database bothyd does not start and says so, and machines go on") {
  auto& [host, workspace] = sharedWorkspace();
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

TEST_CASE("P41 a bothyd whose database is another's by now ends, and machines go on") {
  auto& [host, workspace] = sharedWorkspace();
  const pid_t qemu = workspace.qemu();
  auto script = kj::str(
      "import sqlite3\n"
      "c = sqlite3.connect('",
      host.directory(),
      "/state/bothyd.db')\n"
      "assert c.execute('UPDATE writer SET epoch=epoch+1').rowcount == 1\n"
      "c.commit()\n");
  hostOutput({"/usr/bin/python3"_kj, "-c"_kj, script});
  auto create = host.supervisor().createRequest();
  create.initSpec().setName("other");
  auto answer = kj::runCatchingExceptions(
      [&]() { host.wait(create.send().dropPipeline().ignoreResult(), "the creation"); });
  CHECK(answer != nullptr);
  const int status = host.awaitEnd();
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 1);
  CHECK_FALSE(isGone(qemu));
  host.start();
  workspace.reconnect();
  CHECK(workspace.qemu() == qemu);
  CHECK(workspace.shell("echo goes on") == "goes on");
  CHECK(host.stateOf("other") == nullptr);
}

}  // namespace
}  // namespace bothy
