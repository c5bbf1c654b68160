// Machines that a bothyd which starts cannot take over.  All scenarios share a host and a machine.

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "support/event-record.h"
#include "support/host-program.h"
#include "support/shared-workspace.h"

namespace bothy {
namespace {

// A workspace whose machine bothyd cannot take over, because the socket of its console is somewhere else.
struct Unreachable {
  TestWorkspace& workspace = sharedWorkspace().workspace;
  SupervisedHost& host = workspace.host;
  const uint64_t newest = EventRecord::newest(host);
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
  EventRecord events(u.host, u.newest);
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

// Two machines, of which the first has a link to the second's monitor in place of its own when bothyd starts again.
struct Swapped {
  TestWorkspace& one = sharedWorkspace().workspace;
  SupervisedHost& host = one.host;
  TestWorkspace two{host, {.name = "two"}};
  const pid_t qemu = one.qemu();
  const pid_t neighbour = two.qemu();
  kj::String monitor = monitorOf(one);
  kj::String aside = kj::str(monitor, ".aside");

  Swapped() {
    one.shell("echo kept > ~/file; sync");
    // Its user cannot do that any more.
    struct stat directory;
    KJ_SYSCALL(stat(directoryOf(monitor).cStr(), &directory));
    CHECK(directory.st_uid == 0);
    CHECK((directory.st_mode & 07777) == 0710);
    KJ_SYSCALL(rename(monitor.cStr(), aside.cStr()));
    KJ_SYSCALL(symlink(monitorOf(two).cStr(), monitor.cStr()));
    host.restart(SIGKILL);
  }
  static kj::String directoryOf(kj::StringPtr path) {
    return kj::heapString(path.slice(0, KJ_ASSERT_NONNULL(path.findLast('/'))));
  }
  kj::String monitorOf(TestWorkspace& workspace) {
    auto shown = hostOutput(
        {"/bin/sh"_kj, "-c"_kj,
         kj::str("tr '\\0' '\\n' < /proc/", workspace.qemu(),
                 "/cmdline | sed -n 's/.*\"file\":\"\\(.*\\)\\/master-key.aes\".*/\\1/p'")});
    return kj::str(shown.slice(0, shown.size() - 1), "/monitor.sock");
  }
  kj::String whyUnreachable(TestWorkspace& workspace) {
    auto info = workspace.info();
    CHECK(info.getState() == rpc::WorkspaceState::RUNNING);
    return kj::str(info.getUnreachable());
  }
};

TEST_CASE("S20 P41 a machine with a neighbour's monitor in place of its own is left alone") {
  Swapped s;
  auto why = s.whyUnreachable(s.one);
  INFO(why.cStr());
  CHECK(strstr(why.cStr(), "monitor") != nullptr);
  CHECK(s.whyUnreachable(s.two) == "");
  CHECK(kill(s.qemu, 0) == 0);
  CHECK(s.two.qemu() == s.neighbour);
  s.two.reconnect();
  CHECK(s.two.shell("echo undisturbed") == "undisturbed");

  KJ_SYSCALL(rename(s.aside.cStr(), s.monitor.cStr()));
  s.host.restart(SIGKILL);
  CHECK(s.whyUnreachable(s.one) == "");
  s.one.reconnect();
  CHECK(s.one.qemu() == s.qemu);
  CHECK(s.one.shell("cat ~/file") == "kept");
  s.host.deleteWorkspace(s.two.name);
}

TEST_CASE("S20 P45 a machine with a neighbour's monitor in place of its own can be ended") {
  Swapped s;
  CHECK(s.host.stopWorkspace(s.one.name, 30000) == rpc::Supervisor::StopKind::FORCED);
  // Nor a zombie has a program.
  char program[256];
  CHECK(readlink(kj::str("/proc/", s.qemu, "/exe").cStr(), program, sizeof(program)) < 0);
  CHECK(access(Swapped::directoryOf(s.monitor).cStr(), F_OK) < 0);
  CHECK(s.two.qemu() == s.neighbour);
  s.one.startAgain();
  CHECK(s.one.shell("cat ~/file") == "kept");
  s.host.deleteWorkspace(s.two.name);
}

}  // namespace
}  // namespace bothy
