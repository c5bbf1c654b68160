// Machines that a bothyd which starts cannot take over.

#include <signal.h>
#include <stdio.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "support/event-record.h"
#include "support/test-workspace.h"

namespace bothy {
namespace {

// A workspace whose machine bothyd cannot take over, because the socket of its console is somewhere else.
struct Unreachable {
  SupervisedHost host;
  TestWorkspace workspace{host};
  const pid_t qemu = workspace.qemu();
  kj::String socket = kj::str(host.directory(), "/run/vms/", workspace.info().getId(), "/console");
  kj::String elsewhere = kj::str(host.directory(), "/console");

  Unreachable() {
    workspace.shell("echo kept > ~/file; sync");
    KJ_SYSCALL(rename(socket.cStr(), elsewhere.cStr()));
    host.restart(SIGKILL);
  }
  kj::String why() {
    auto list = host.wait(host.supervisor().listRequest().send().dropPipeline(), "the list");
    CHECK(list.getWorkspaces()[0].getState() == rpc::WorkspaceState::RUNNING);
    return kj::str(list.getWorkspaces()[0].getUnreachable());
  }
  bool connects() {
    auto response = workspace.connect([](auto wanted) { wanted.setCommands(); });
    CHECK((response.getOutcome().isConnected() || response.getOutcome().isUnreachable()));
    return response.getOutcome().isConnected();
  }
};

TEST_CASE("P41 a machine that cannot be taken over goes on, and is taken over when it can be") {
  Unreachable u;
  CHECK(u.why() != "");
  CHECK_FALSE(u.connects());
  CHECK(kill(u.qemu, 0) == 0);
  EventRecord events(u.host);
  events.waitFor(rpc::Cause::UNREACHABLE);

  KJ_SYSCALL(rename(u.elsewhere.cStr(), u.socket.cStr()));
  events.waitFor(rpc::Cause::ADOPTED);
  CHECK(u.why() == "");
  u.workspace.reconnect();
  CHECK(u.workspace.qemu() == u.qemu);
  CHECK(u.workspace.shell("cat ~/file") == "kept");
}

TEST_CASE("P41 P45 a machine that cannot be taken over is stopped by force when a client asks") {
  Unreachable u;
  CHECK(u.host.stopWorkspace("test", 30000) == rpc::Supervisor::StopKind::FORCED);
  CHECK(u.host.stateOf("test") == rpc::WorkspaceState::STOPPED);
  u.workspace.startAgain();
  CHECK(u.workspace.shell("cat ~/file") == "kept");
}

}  // namespace
}  // namespace bothy
