// What is different where the host has KVM and the kernel's vsock.  Runs on such a host, see run-in-kvm-host; all
// scenarios share one bothyd and, as a machine takes long to start there, one workspace that runs before and after each.

#include <signal.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "kvm/kvm-host.h"
#include "support/event-record.h"
#include "support/host-program.h"
#include "support/local-terminal.h"
#include "support/unnoticed-restart.h"

namespace bothy {
namespace {

TEST_CASE("KVM and the kernel's vsock are found by trying, and told") {
  auto& k = theHost();
  auto version = k.bothy.run({"version"_kj});
  INFO(version.out.cStr());
  CHECK(has(version.out, "accelerator  kvm"));
  CHECK(has(version.out, "vsock        kernel"));
  auto response =
      k.host.wait(k.host.supervisor().doctorRequest().send().dropPipeline(), "the findings");
  int found = 0;
  for (auto finding : response.getFindings()) {
    if (finding.getName() != "accelerator" && finding.getName() != "vsock") continue;
    ++found;
    INFO(finding.getName().cStr());
    INFO(finding.getFound().cStr());
    CHECK(finding.getVerdict() == rpc::Verdict::OK);
  }
  CHECK(found == 2);
  CHECK(k.bothy.run({"doctor"_kj}).status == 0);
}

TEST_CASE("a machine runs under KVM on the host's processor, with the kernel's vsock") {
  auto& k = theHost();
  auto line = shell(kj::str("tr '\\0' ' ' < /proc/", k.workspace.qemu(), "/cmdline"));
  INFO(line.cStr());
  CHECK(has(line, "-accel kvm"));
  CHECK(has(line, "-cpu host"));
  CHECK(has(line, "vhost-vsock-pci"));
  CHECK(runProgram({"/usr/bin/pgrep"_kj, "-x"_kj, "vhost-device-vs"_kj}).status == 1);
  CHECK(k.workspace.shell("grep -m1 '^model name' /proc/cpuinfo") ==
        shell("grep -m1 '^model name' /proc/cpuinfo | tr -d '\\n'"));
}

TEST_CASE("S20 a machine has KVM by itself, and no group in common with another") {
  auto& k = theHost();
  const pid_t qemu = k.workspace.qemu();
  auto ids = shell(kj::str("stat -c '%u %g' /proc/", qemu));
  auto directory = kj::str(k.host.directory(), "/run/vms/", k.workspace.info().getId());
  INFO(ids.cStr());
  auto space = KJ_ASSERT_NONNULL(ids.findFirst(' '));
  auto uid = kj::heapString(ids.slice(0, space));
  CHECK(ids == kj::str(uid, " ", uid, "\n"));
  CHECK(shell(kj::str("grep '^Groups:' /proc/", qemu, "/status")) ==
        kj::str("Groups:\t", uid, " \n"));
  CHECK(shell(kj::str("stat -c '%u %g %a' ", directory)) == kj::str("0 ", uid, " 710\n"));
  // What the host lets its own users do with KVM is as it was.
  CHECK(shell("stat -c '%U %G %a' /dev/kvm") == "root kvm 660\n");
  CHECK(shell("getfacl -cp /dev/kvm 2>/dev/null | grep -c '^user:.' || true") == "0\n");
}

TEST_CASE("a command runs and a terminal echoes, by the kernel's vsock") {
  auto& k = theHost();
  auto ended = k.bothy.run(
      {"exec"_kj, "test"_kj, "--"_kj, "sh"_kj, "-c"_kj, "echo out; echo err >&2; exit 42"_kj});
  CHECK(ended.status == 42);
  CHECK(ended.out == "out\n");
  CHECK(ended.err == "err\n");
  TestTerminal terminal(k.workspace,
                        {.argv = {"/bin/sh"_kj, "-c"_kj, "stty size; read x; echo heard $x"_kj}});
  terminal.waitForText("24 80");
  terminal.type("it\r");
  terminal.waitForText("heard it");
  terminal.waitForExit();
}

TEST_CASE("P18 files go in and come out whole, by the kernel's vsock") {
  auto& k = theHost();
  auto here = kj::str(k.host.directory(), "/file"), back = kj::str(here, ".back");
  shell(kj::str("head -c 8M /dev/urandom > ", here));
  auto in = k.bothy.run({"cp"_kj, here, "test:/home/user/file"_kj});
  INFO(in.err.cStr());
  CHECK(in.status == 0);
  auto out = k.bothy.run({"cp"_kj, "test:/home/user/file"_kj, back});
  INFO(out.err.cStr());
  CHECK(out.status == 0);
  CHECK(runProgram({"/usr/bin/cmp"_kj, here, back}).status == 0);
  shell(kj::str("rm ", here, " ", back));
  k.workspace.shell("rm ~/file");
}

TEST_CASE("P41 a machine is adopted after kill -9 of bothyd, and its lanes and terminals go on") {
  auto& k = theHost();
  // Afresh: what is counted is the test's.
  k.workspace.reconnect();
  TestTerminal terminal(k.workspace,
                        {.argv = {"/bin/sh"_kj, "-c"_kj, "echo begun; read x; echo heard $x"_kj}});
  terminal.waitForText("begun");
  auto running = k.workspace.start({"/bin/sleep"_kj, "1004"_kj});
  const pid_t qemu = k.workspace.qemu();
  restartUnnoticed(k.workspace, SIGKILL, 2);
  CHECK(k.workspace.qemu() == qemu);
  k.workspace.shell("pkill -f 'sleep 100[4]'");
  CHECK(k.host.wait(kj::mv(running), "the call's end").status == "killed 15");
  terminal.type("it\r");
  terminal.waitForText("heard it");
  terminal.waitForExit();
  CHECK(terminal.record.gaps == 0);
}

TEST_CASE(
    "P09 P28 a machine that finds the host's disk full stands still, and goes on without a loss") {
  auto& k = theHost();
  TestTerminal terminal(k.workspace, {.argv = {"/bin/sh"_kj, "-c"_kj, "read x; echo heard $x"_kj}});
  EventRecord events(k.host);
  auto held = k.workspace.connect([](auto wanted) { wanted.setCommands(); });
  auto ending = held.getLane().whenEndedRequest().send();
  k.disk.fill(0);
  k.workspace.shell(
      "cd ~ && rm -f done && setsid sh -c "
      "'head -c 16M /dev/urandom > much; sha256sum much > sum; sync; echo > done' "
      "> /dev/null 2>&1 < /dev/null &");
  events.waitFor(rpc::Cause::DISK_FULL);
  // Nothing breaks the kernel's vsock then: whoever waits for an answer would never know.
  CHECK(k.host.wait(kj::mv(ending), "the lane's end").getReason() == rpc::LaneEnd::STALLED);
  k.disk.drain();
  events.waitFor(rpc::Cause::DISK_FREED);
  k.workspace.reconnect();
  terminal.find();
  terminal.attach();
  terminal.type("it\r");
  terminal.waitForText("heard it");
  CHECK(
      k.workspace.shell("cd /home/user; until test -e done; do sleep 0.1; done; sync; "
                        "echo 3 > /proc/sys/vm/drop_caches; sha256sum --status -c sum && echo same",
                        "root") == "same");
}

// /dev/vhost-vsock is away, as on a host whose kernel lacks it.
class NoKernelVsock final {
public:
  NoKernelVsock() { KJ_SYSCALL(rename("/dev/vhost-vsock", "/dev/away")); }
  ~NoKernelVsock() { giveBack(); }
  KJ_DISALLOW_COPY_AND_MOVE(NoKernelVsock);
  void giveBack() { rename("/dev/away", "/dev/vhost-vsock"); }
};

TEST_CASE(
    "P41 where KVM is and the kernel's vsock is not, machines start, and each keeps the vsock it "
    "has") {
  auto& k = theHost();
  NoKernelVsock without;
  k.host.restart(SIGTERM);
  CHECK(k.host.stateOf("test") == rpc::WorkspaceState::RUNNING);
  CHECK(has(k.bothy.run({"version"_kj}).out, "vsock        vhost-user"));
  k.workspace.reconnect();
  CHECK(k.workspace.shell("echo by the kernel") == "by the kernel");
  TestWorkspace other(k.host, {.name = "other"});
  CHECK(other.vsockDevice() > 0);
  CHECK(other.shell("echo by the device") == "by the device");

  without.giveBack();
  k.host.restart(SIGKILL);
  other.reconnect();
  CHECK(other.shell("echo by the device") == "by the device");
  k.workspace.reconnect();
  CHECK(k.workspace.shell("echo by the kernel") == "by the kernel");
  k.host.deleteWorkspace("other");
}

TEST_CASE(
    "P14 P58 a machine is paused and goes on by the kernel's vsock, and its terminals with each "
    "byte once") {
  auto& k = theHost();
  LocalTerminal user(
      {CommandLine::program(), "--socket"_kj, k.host.socket(), "shell"_kj, "test"_kj}, 80, 24);
  user.type("stty -echo; PS1=; clear\r");
  user.type(
      "i=0; while [ $i -lt 200 ]; do i=$((i+1)); echo \"line $i.\"; sleep 0.05; done; echo 'all "
      "'written\r");
  user.waitForText("line 5.");
  auto paused = k.bothy.run({"pause"_kj, "test"_kj});
  INFO(paused.err.cStr());
  REQUIRE(paused.status == 0);
  user.waitForText("press a key to wake it");
  k.host.restart(SIGKILL);
  CHECK(k.host.stateOf("test") == rpc::WorkspaceState::PAUSED);
  auto ran = k.bothy.run({"exec"_kj, "test"_kj, "--"_kj, "echo"_kj, "awake"_kj});
  INFO(ran.err.cStr());
  CHECK(ran.out == "awake\n");
  user.waitForText("connected again");
  user.waitForText("all written");
  user.type("exit 7\r");
  CHECK(user.waitForExit() == 7);
  k.workspace.reconnect();
  // The guest's clock was set.
  auto off = shell(kj::str("echo $(( $(date +%s) - ", k.workspace.shell("date +%s"), " ))"));
  INFO(off.cStr());
  CHECK(abs(atoi(off.cStr())) <= 5);
}

TEST_CASE("P45 a machine stops in order, leaves nothing running, and starts with its files") {
  auto& k = theHost();
  k.workspace.shell("echo kept > ~/kept");
  const pid_t qemu = k.workspace.qemu();
  CHECK(k.host.stopWorkspace("test", 60000) == rpc::Supervisor::StopKind::ORDERLY);
  CHECK(kill(qemu, 0) < 0);
  k.workspace.startAgain();
  CHECK(k.workspace.shell("cat ~/kept") == "kept");
}

}  // namespace
}  // namespace bothy
