// What happens to a user's work when a process of the host is killed.  All scenarios share a machine.

#include <kj/debug.h>
#include <signal.h>
#include <stdlib.h>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "support/background-client.h"
#include "support/command-line.h"
#include "support/event-record.h"
#include "support/host-program.h"
#include "support/shared-workspace.h"
#include "support/unnoticed-restart.h"

namespace bothy {
namespace {

// Of a TestWorkspace that has run a command and opened a terminal.
constexpr size_t TEST_LANES = 2;
TEST_CASE("P41 a killed bothyd loses neither machines nor terminals nor a byte of their output") {
  const int signal = GENERATE(SIGKILL, SIGTERM);
  INFO("by signal " << signal);
  auto& [host, workspace] = sharedWorkspace();
  TestTerminal terminal(
      workspace, {.argv = {"/bin/sh"_kj, "-c"_kj,
                           "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo $i; done; read x"_kj}});
  terminal.waitUntil([&]() { return terminal.record.received > 1000; }, "some output");
  const pid_t qemu = workspace.qemu();

  // The viewer of before goes on.
  restartUnnoticed(workspace, signal, TEST_LANES);
  CHECK(workspace.qemu() == qemu);
  terminal.waitForText("3000");
  CHECK(terminal.record.gaps == 0);
  terminal.type("\r");
  terminal.waitForExit();
}

TEST_CASE(
    "P41 over restarts of bothyd commands and terminals go on, and no byte is lost or doubled") {
  const uint restarts = getenv("BOTHY_FULL") == nullptr ? 6 : 100;
  constexpr size_t LANES = TEST_LANES + 1;
  auto& [host, workspace] = sharedWorkspace();
  const pid_t qemu = workspace.qemu();
  TestTerminal terminal(
      workspace,
      {.argv = {"/bin/sh"_kj, "-c"_kj,
                "i=0; until test -e ~/stop; do i=$((i+1)); echo $i; sleep 0.05; done"_kj}});
  BackgroundClient command(
      host,
      {"exec"_kj, "test"_kj, "--"_kj, "sh"_kj, "-c"_kj,
       "touch ~/begun; i=0; until test -e ~/stop; do i=$((i+1)); echo $i; echo $i >&2; done; exit 7"_kj});
  workspace.shell("until test -e ~/begun; do sleep 0.1; done");
  for (uint i = 0; i < restarts; i++) {
    auto seen = terminal.record.received;
    terminal.waitUntil([&]() { return terminal.record.received > seen; }, "some output");
    // By SIGTERM first: the bothyd of before has the lanes, which the next ones have not.
    restartUnnoticed(workspace, i % 2 == 0 ? SIGTERM : SIGKILL, LANES);
  }
  workspace.shell("touch ~/stop");
  terminal.waitForExit();
  CHECK(terminal.record.gaps == 0);
  auto finished = command.finish();
  INFO(finished.err.slice(finished.err.size() - kj::min(finished.err.size(), 200)).cStr());
  CHECK(finished.status == 7);
  CHECK(workspace.qemu() == qemu);
  // 1, 2, 3, ... on both, to the same end, and not a word of the client's own.
  kj::Vector<char> expected;
  for (uint i = 1; expected.size() < finished.out.size(); i++) expected.addAll(kj::str(i, '\n'));
  CHECK(expected.asPtr() == finished.out.asArray());
  CHECK(finished.out == finished.err);
  workspace.shell("rm ~/begun ~/stop");
}

TEST_CASE(
    "P41 a command whose start was not answered when bothyd was killed runs once, and whole") {
  const uint restarts = getenv("BOTHY_FULL") == nullptr ? 6 : 100;
  // Later each time that the client has its lane: the call is on its way, being started, has begun.
  constexpr kj::Duration STEP = 4 * kj::MILLISECONDS;
  auto& [host, workspace] = sharedWorkspace();
  uint underWay = 0;
  for (uint i = 0; i < restarts; i++) {
    INFO("restart " << i);
    const auto lanes = lanesBegun(host);
    auto script = kj::str("echo >> ~/starts-", i, "; echo out; echo err >&2; sleep 0.2; exit 7");
    BackgroundClient command(host, {"exec"_kj, "test"_kj, "--"_kj, "sh"_kj, "-c"_kj, script});
    // The first time wherever the command is by then: before it has reached bothyd.
    if (i > 0) {
      for (bool isRunning = true; lanesBegun(host) == lanes;) {
        // It may have ended since the last look.
        REQUIRE(isRunning);
        isRunning = command.isRunning();
      }
      // The answer with the lane is on its way when bothyd has answered somebody else.
      host.wait(host.supervisor().listRequest().send(), "an answer of bothyd's");
      host.timer.afterDelay((i - 1) * STEP).wait(host.scope);
      if (command.isRunning()) ++underWay;
    }
    host.restart(i % 2 == 0 ? SIGKILL : SIGTERM);
    auto finished = command.finish();
    INFO(finished.err.cStr());
    CHECK(finished.status == 7);
    CHECK(finished.out == "out\n");
    if (i > 0) {
      // With its lane it needs bothyd no more.
      CHECK(finished.err == "err\n");
      CHECK(lanesBegun(host) == lanes + 1);
    }
    host.supervisor();
    CHECK(workspace.shell(kj::str("wc -l < ~/starts-", i)) == "1");
  }
  CHECK(underWay > 0);
}

TEST_CASE(
    "P41 lanes go on over a kill -9 and over a SIGTERM of bothyd, and so do calls under way") {
  const int signal = GENERATE(SIGKILL, SIGTERM);
  auto& [host, workspace] = sharedWorkspace();
  const pid_t qemu = workspace.qemu();
  auto running = workspace.start({"/bin/sleep"_kj, "1000"_kj});
  workspace.shell("until pgrep -x sleep; do :; done");
  BackgroundClient command(
      host, {"exec"_kj, "test"_kj, "--"_kj, "sh"_kj, "-c"_kj,
             "touch ~/begun; until test -e ~/stop; do :; done; echo done; exit 7"_kj});
  workspace.shell("until test -e ~/begun; do sleep 0.1; done");
  restartUnnoticed(workspace, signal, 2);
  workspace.shell("pkill -x sleep; touch ~/stop");
  CHECK(host.wait(kj::mv(running), "the call's end").status == "killed 15");
  auto finished = command.finish();
  CHECK(finished.status == 7);
  CHECK(finished.out == "done\n");
  CHECK(finished.err == "");
  CHECK(workspace.qemu() == qemu);
  workspace.shell("rm ~/begun ~/stop");
}

TEST_CASE(
    "P12 a killed QEMU ends its calls, is told with its cause, and the workspace starts again") {
  auto& [host, workspace] = sharedWorkspace();
  EventRecord events(host, EventRecord::newest(host));
  workspace.shell("echo kept > ~/file; sync");
  auto running = workspace.start({"/bin/sleep"_kj, "1000"_kj});
  workspace.shell("until pgrep -x sleep; do :; done");

  KJ_SYSCALL(kill(workspace.qemu(), SIGKILL));
  CHECK_THROWS_AS(host.wait(kj::mv(running), "the call's end"), kj::Exception);
  events.waitFor(rpc::Cause::VM_EXITED);
  CHECK(host.stateOf(workspace.name) == rpc::WorkspaceState::FAILED);

  workspace.startAgain();
  CHECK(workspace.shell("cat ~/file") == "kept");
}

TEST_CASE("P25 a killed vsock device is replaced and the machine goes on") {
  auto& [host, workspace] = sharedWorkspace();
  EventRecord events(host, EventRecord::newest(host));
  TestTerminal terminal(workspace,
                        {.argv = {"/bin/sh"_kj, "-c"_kj, "echo before; read x; echo after $x"_kj}});
  terminal.waitForText("before");
  const pid_t qemu = workspace.qemu();

  KJ_SYSCALL(kill(workspace.vsockDevice(), SIGKILL));
  events.waitFor(rpc::Cause::VSOCK_LOST);
  events.waitFor(rpc::Cause::VSOCK_RESTORED);
  CHECK(workspace.qemu() == qemu);
  workspace.reconnect();
  terminal.find();
  terminal.attach();
  terminal.type("all\r");
  terminal.waitForText("after all");
}

TEST_CASE(
    "P09 a command that loses its vsock device says so and goes on, and the next device is left "
    "alone by commands that end") {
  auto& [host, workspace] = sharedWorkspace();
  EventRecord events(host, EventRecord::newest(host));
  BackgroundClient command(
      host, {"exec"_kj, "test"_kj, "--"_kj, "sh"_kj, "-c"_kj,
             "touch ~/begun; until test -e ~/stop; do sleep 0.1; done; echo done; exit 7"_kj});
  workspace.shell("until test -e ~/begun; do sleep 0.1; done");
  KJ_SYSCALL(kill(workspace.vsockDevice(), SIGKILL));
  events.waitFor(rpc::Cause::VSOCK_LOST);
  events.waitFor(rpc::Cause::VSOCK_RESTORED);
  const pid_t device = workspace.vsockDevice();
  CommandLine bothy(host);
  for (int i = 0; i < 5; i++) {
    auto done = bothy.run({"exec"_kj, workspace.name, "true"_kj});
    CHECK(done.status == 0);
  }
  workspace.reconnect();
  workspace.shell("touch ~/stop");
  auto finished = command.finish();
  CHECK(finished.status == 7);
  CHECK(finished.out == "done\n");
  CHECK(finished.err == "bothy: the vsock device of test has failed and is replaced\n");
  CHECK(workspace.vsockDevice() == device);
  workspace.shell("rm ~/begun ~/stop");
}

TEST_CASE("P29 nothing is left of a deleted workspace") {
  auto& host = sharedWorkspace().host;
  kj::String id;
  {
    TestWorkspace workspace(host, {.name = "gone"});
    id = kj::str(workspace.info().getId());
  }
  host.deleteWorkspace("gone");

  CHECK(hostOutput({"/usr/bin/find"_kj, host.directory(), "-name"_kj, kj::str("*", id, "*")}) ==
        "");
  // pgrep ends with 1 where it finds nothing; what it prints is what counts.
  CHECK(hostOutput({"/bin/sh"_kj, "-c"_kj,
                    kj::str("pgrep -f '[", id[0], "]", id.slice(1), "' || :")}) == "");
}

TEST_CASE("P28 a workspace that is starting can be deleted") {
  auto& host = sharedWorkspace().host;
  EventRecord events(host, EventRecord::newest(host));
  auto create = host.supervisor().createRequest();
  create.initSpec().setName("hasty");
  create.getSpec().setDiskMib(256);
  auto creating = create.send().dropPipeline();
  events.waitUntil(
      [&]() {
        for (auto event : events.all()) {
          if (event.getAfter() == rpc::WorkspaceState::STARTING) return true;
        }
        return false;
      },
      "the start");
  host.deleteWorkspace("hasty");
  auto list = host.wait(host.supervisor().listRequest().send().dropPipeline(), "the list");
  CHECK(list.getWorkspaces().size() == 1);
}

TEST_CASE("P57 the same request id gives the same workspace, another spec a conflict") {
  auto& host = sharedWorkspace().host;
  auto create = [&](uint32_t diskMib) {
    auto request = host.supervisor().createRequest();
    request.initSpec().setName("once");
    request.getSpec().setDiskMib(diskMib);
    request.setRequestId("request-1");
    request.setStart(false);
    return host.wait(request.send().dropPipeline(), "the creation");
  };
  auto first = create(256);
  REQUIRE(first.getOutcome().isCreated());
  host.restart(SIGKILL);
  auto second = create(256);
  REQUIRE(second.getOutcome().isCreated());
  CHECK(first.getOutcome().getCreated().getId() == second.getOutcome().getCreated().getId());
  CHECK(create(512).getOutcome().isRequestConflict());
  host.deleteWorkspace("once");
}

}  // namespace
}  // namespace bothy
