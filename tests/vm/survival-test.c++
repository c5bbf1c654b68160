// What happens to a user's work when a process of the host is killed.

#include <kj/debug.h>
#include <signal.h>
#include <catch2/catch_test_macros.hpp>

#include "support/event-record.h"
#include "support/host-program.h"
#include "support/test-workspace.h"

namespace bothy {
namespace {

TEST_CASE("P41 a killed bothyd loses neither machines nor terminals nor a byte of their output") {
  SupervisedHost host;
  TestWorkspace workspace(host);
  TestTerminal terminal(
      workspace, {.argv = {"/bin/sh"_kj, "-c"_kj,
                           "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo $i; done; read x"_kj}});
  terminal.waitUntil([&]() { return terminal.record.received > 1000; }, "some output");
  const pid_t qemu = workspace.qemu();

  host.restart(SIGKILL);
  CHECK(host.stateOf(workspace.name) == rpc::WorkspaceState::RUNNING);
  CHECK(workspace.qemu() == qemu);
  workspace.reconnect();
  terminal.find();
  terminal.attach();
  terminal.waitForText("3000");
  CHECK(terminal.record.gaps == 0);
  terminal.type("\r");
  terminal.waitForExit();
}

TEST_CASE("P12 a call under way ends with an error when bothyd is killed") {
  SupervisedHost host;
  TestWorkspace workspace(host);
  auto running = workspace.start({"/bin/sleep"_kj, "1000"_kj});
  workspace.shell("until pgrep -x sleep; do :; done");
  host.stop(SIGKILL);
  CHECK_THROWS_AS(host.wait(kj::mv(running), "the call's end"), kj::Exception);
  host.start();
  workspace.reconnect();
  CHECK(workspace.shell("echo again") == "again");
}

TEST_CASE("a restart in order leaves machines running too") {
  SupervisedHost host;
  TestWorkspace workspace(host);
  const pid_t qemu = workspace.qemu();
  host.restart(SIGTERM);
  workspace.reconnect();
  CHECK(workspace.shell("echo again") == "again");
  CHECK(workspace.qemu() == qemu);
}

TEST_CASE(
    "P12 a killed QEMU ends its calls, is told with its cause, and the workspace starts again") {
  SupervisedHost host;
  TestWorkspace workspace(host);
  EventRecord events(host);
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
  SupervisedHost host;
  TestWorkspace workspace(host);
  EventRecord events(host);
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

TEST_CASE("P29 nothing is left of a deleted workspace") {
  SupervisedHost host;
  kj::String id;
  {
    TestWorkspace workspace(host);
    id = kj::str(workspace.info().getId());
  }
  host.deleteWorkspace("test");

  CHECK(hostOutput({"/usr/bin/find"_kj, host.directory(), "-name"_kj, kj::str("*", id, "*")}) ==
        "");
  // pgrep ends with 1 where it finds nothing; what it prints is what counts.
  CHECK(hostOutput({"/bin/sh"_kj, "-c"_kj,
                    kj::str("pgrep -f '[", id[0], "]", id.slice(1), "' || :")}) == "");
}

TEST_CASE("P28 a workspace that is starting can be deleted") {
  SupervisedHost host;
  auto create = host.supervisor().createRequest();
  create.initSpec().setName("hasty");
  create.getSpec().setDiskMib(256);
  auto creating = create.send().dropPipeline();
  EventRecord events(host);
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
  CHECK(list.getWorkspaces().size() == 0);
}

TEST_CASE("P57 the same request id gives the same workspace, another spec a conflict") {
  SupervisedHost host;
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
}

}  // namespace
}  // namespace bothy
