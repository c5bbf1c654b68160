// What becomes of workspaces when the host's disk is full, or stands still.

#include <signal.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include <filesystem>

#include "support/event-record.h"
#include "support/host-program.h"
#include "support/small-disk.h"
#include "support/test-workspace.h"

namespace bothy {
namespace {

TEST_CASE("P28 on a full disk a workspace can be deleted, and that makes room") {
  SupervisedHost host;
  SmallDisk disk(host, "700M");
  TestWorkspace workspace(host);
  workspace.shell("head -c 50M /dev/urandom > ~/much; sync");
  disk.fill(0);
  host.deleteWorkspace("test");
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
  CHECK(
      (outcome.isCreated() || outcome.isNoSpace() || outcome.isFailed() || outcome.isNoCapacity()));
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
    REQUIRE(createOnly(host, "other"));
    host.deleteWorkspace("other");
  }
  CHECK(made);
}

TEST_CASE(
    "R02 P30 P44 on a full disk a start is refused with the reason, and succeeds when there is "
    "room") {
  SupervisedHost host;
  SmallDisk disk(host, "900M");
  REQUIRE(createOnly(host, "test"));
  for (uint64_t keep : {0, 16, 1024, 8192, 60000}) {
    INFO(keep << " KiB are free");
    disk.fill(keep);
    auto request = host.supervisor().startRequest();
    request.setName("test");
    auto response = host.wait(request.send().dropPipeline(), "the start");
    REQUIRE(response.getOutcome().isNoCapacity());
    auto shortage = response.getOutcome().getNoCapacity();
    CHECK(shortage.getWhat() == rpc::Shortage::Resource::DISK);
    CHECK(shortage.getWhy().startsWith("the host's disk is full"));
    CHECK(host.stateOf("test") == rpc::WorkspaceState::STOPPED);
    disk.drain();
  }
  host.startWorkspace("test");
}

TEST_CASE("R02 on a full disk a growth fails and says why, and the disk is as it was") {
  SupervisedHost host;
  SmallDisk disk(host, "1200M");
  REQUIRE(createOnly(host, "test"));
  auto resize = [&]() {
    auto request = host.supervisor().resizeRequest();
    request.setName("test");
    request.setDiskMib(512);
    return host.wait(request.send().dropPipeline(), "the growth");
  };
  for (uint64_t keep : {0, 16, 1024, 300000}) {
    INFO(keep << " KiB are free");
    disk.fill(keep);
    auto response = resize();
    CHECK((response.getOutcome().isNoSpace() || response.getOutcome().isNoCapacity()));
    CHECK(host.stateOf("test") == rpc::WorkspaceState::STOPPED);
    disk.drain();
  }
  host.startWorkspace("test");
  host.stopWorkspace("test");
  auto response = resize();
  REQUIRE(response.getOutcome().isResized());
  CHECK(response.getOutcome().getResized().getSpec().getDiskMib() == 512);
}

TEST_CASE("R02 on a full disk a machine stops, and keeps what was synced") {
  SupervisedHost host;
  SmallDisk disk(host, "700M");
  TestWorkspace workspace(host);
  workspace.shell("echo kept > ~/file; sync");
  disk.fill(0);
  // More than fits, still in the guest's memory.
  workspace.shell("head -c 30M /dev/urandom > ~/much");
  host.stopWorkspace("test", 1000);
  CHECK(host.stateOf("test") == rpc::WorkspaceState::STOPPED);
  disk.drain();
  workspace.startAgain();
  CHECK(workspace.shell("cat ~/file") == "kept");
}

// Writes more than fits in the background; `~/done` tells that all of it is on the disk.
void writeMuch(TestWorkspace& workspace) {
  workspace.shell(
      "cd ~ && rm -f done && setsid sh -c "
      "'head -c 30M /dev/urandom > much; sha256sum much > sum; sync; echo > done' "
      "> /dev/null 2>&1 < /dev/null &");
}

// All that was written is there, on the disk.
void expectMuch(TestWorkspace& workspace) {
  CHECK(workspace.shell("cd /home/user; until test -e done; do sleep 0.1; done; sync; "
                        "echo 3 > /proc/sys/vm/drop_caches; sha256sum --status -c sum && echo same",
                        "root") == "same");
}

// Why the only workspace, which runs, stands still.
kj::String stallOf(SupervisedHost& host) {
  auto list = host.wait(host.supervisor().listRequest().send().dropPipeline(), "the list");
  CHECK(list.getWorkspaces()[0].getState() == rpc::WorkspaceState::RUNNING);
  return kj::str(list.getWorkspaces()[0].getStalled());
}

TEST_CASE("P28 a machine that finds the disk full stands still, and goes on without a loss") {
  SupervisedHost host;
  SmallDisk disk(host, "700M");
  TestWorkspace workspace(host);
  TestTerminal terminal(workspace, {.argv = {"/bin/sh"_kj, "-c"_kj, "read x; echo heard $x"_kj}});
  EventRecord events(host);
  disk.fill(0);
  writeMuch(workspace);
  events.waitFor(rpc::Cause::DISK_FULL);
  CHECK(stallOf(host).startsWith("the host's disk is full"));
  CHECK(workspace.connect([](auto wanted) { wanted.setCommands(); }).getOutcome().isStalled());
  disk.drain();
  events.waitFor(rpc::Cause::DISK_FREED);
  CHECK(stallOf(host) == "");
  workspace.reconnect();
  terminal.find();
  terminal.attach();
  terminal.type("it\r");
  terminal.waitForText("heard it");
  expectMuch(workspace);
}

TEST_CASE("P28 P41 a machine that stands still when bothyd is killed is adopted, and goes on") {
  SupervisedHost host;
  SmallDisk disk(host, "700M");
  TestWorkspace workspace(host);
  const pid_t qemu = workspace.qemu();
  {
    EventRecord events(host);
    disk.fill(0);
    writeMuch(workspace);
    events.waitFor(rpc::Cause::DISK_FULL);
  }
  host.restart(SIGKILL);
  CHECK(stallOf(host).startsWith("the host's disk is full"));
  EventRecord events(host);
  disk.drain();
  events.waitFor(rpc::Cause::DISK_FREED);
  CHECK(stallOf(host) == "");
  workspace.reconnect();
  CHECK(workspace.qemu() == qemu);
  expectMuch(workspace);
}

// A file system of their own for the consoles of a supervisor, which a test may have stand still.  It is made at a restart of bothyd, and
// taken away by the destructor.
class FrozenConsoles final {
public:
  explicit FrozenConsoles(SupervisedHost& host)
      : place(kj::str(host.directory(), "/state/consoles")),
        image(kj::str(host.directory(), "/consoles.img")) {
    host.wait(host.supervisor().listRequest().send().dropPipeline(), "the list");
    host.stop(SIGTERM);
    hostOutput({"/bin/sh"_kj, "-c"_kj,
                kj::str("truncate -s 32M ", image, " && mkfs.ext4 -q ", image, " && mount -o loop ",
                        image, " ", place)});
    host.start();
  }
  ~FrozenConsoles() {
    runProgram({"/bin/sh"_kj, "-c"_kj, kj::str("fsfreeze -u ", place, "; umount -l ", place)});
  }
  KJ_DISALLOW_COPY_AND_MOVE(FrozenConsoles);

  void freeze() { hostOutput({"/bin/sh"_kj, "-c"_kj, kj::str("fsfreeze -f ", place)}); }
  void thaw() { hostOutput({"/bin/sh"_kj, "-c"_kj, kj::str("fsfreeze -u ", place)}); }
  void removeLogs() { hostOutput({"/bin/sh"_kj, "-c"_kj, kj::str("rm ", place, "/*.log")}); }
  // Until a console's log has `words`, half a minute at most.
  void await(kj::StringPtr words) {
    hostOutput({"/bin/sh"_kj, "-c"_kj,
                kj::str("for i in $(seq 300); do ! grep -q '", words, "' ", place,
                        "/*.log || exit 0; sleep 0.1; done; echo 'no ", words, "'; exit 1")});
  }

private:
  const kj::String place;
  const kj::String image;
};

TEST_CASE("S09 consoles whose disk stands still hold up nothing, and are whole when it goes on") {
  if (access("/dev/loop-control", F_OK) != 0) SKIP("there are no loop devices");
  SupervisedHost host;
  FrozenConsoles consoles(host);
  TestWorkspace workspace(host);
  consoles.freeze();
  for (int i = 0; i < 10; ++i) {
    workspace.shell(kj::str("sudo sh -c 'echo word ", i, " >/dev/console'"));
    host.wait(host.supervisor().listRequest().send().dropPipeline(), "the list");
  }
  // The end of a machine waits for its console no longer than so.
  host.stopWorkspace("test");
  CHECK(host.stateOf("test") == rpc::WorkspaceState::STOPPED);
  consoles.thaw();
  for (int i = 0; i < 10; ++i) consoles.await(kj::str("word ", i));
}

// Until an operation of the workspace, which is stopped, is under way.
void awaitBeginning(SupervisedHost& host, kj::StringPtr workspace) {
  constexpr auto LIMIT = 10 * kj::SECONDS;
  const auto deadline = host.now() + LIMIT;
  while (host.stateOf(workspace) == rpc::WorkspaceState::STOPPED) {
    INFO(workspace.cStr());
    REQUIRE(host.now() < deadline);
    host.timer.afterDelay(50 * kj::MILLISECONDS).wait(host.scope);
  }
}

TEST_CASE(
    "S09 P41 while the disk of consoles stands still bothyd starts, takes over and serves; starts "
    "and deletes wait for it") {
  if (access("/dev/loop-control", F_OK) != 0) SKIP("there are no loop devices");
  SupervisedHost host;
  FrozenConsoles consoles(host);
  TestWorkspace workspace(host);
  for (auto name : {"other"_kj, "gone"_kj}) REQUIRE(createOnly(host, name));
  host.stop(SIGTERM);
  // One that is there is opened also while the disk stands still.
  consoles.removeLogs();
  consoles.freeze();
  host.start();
  workspace.reconnect();
  workspace.shell("sudo sh -c 'echo word >/dev/console'");
  auto start = host.supervisor().startRequest();
  start.setName("other");
  auto starting = start.send().dropPipeline();
  auto deletion = host.supervisor().deleteRequest();
  deletion.setName("gone");
  auto deleting = deletion.send().dropPipeline();
  for (auto name : {"other"_kj, "gone"_kj}) awaitBeginning(host, name);
  CHECK(workspace.shell("echo runs") == "runs");
  CHECK(host.stateOf("other") == rpc::WorkspaceState::STARTING);
  CHECK(host.stateOf("gone") == rpc::WorkspaceState::DELETING);
  consoles.thaw();
  CHECK(host.wait(kj::mv(starting), "the start").getOutcome().isStarted());
  CHECK(host.wait(kj::mv(deleting), "the deletion").getOutcome().isDeleted());
  consoles.await("word");
}

}  // namespace
}  // namespace bothy
