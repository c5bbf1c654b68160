// The beginning and the end of a machine.  All scenarios share a host, and most its machine.

#include <kj/debug.h>
#include <signal.h>
#include <catch2/catch_test_macros.hpp>

#include "support/command-line.h"
#include "support/event-record.h"
#include "support/host-program.h"
#include "support/shared-workspace.h"

namespace bothy {
namespace {

TEST_CASE("the agent is PID 1 and reports every stage of its boot with its time") {
  auto& [host, workspace] = sharedWorkspace();
  CHECK(workspace.shell("cat /proc/1/comm") == "bothy-agent");
  auto response = host.wait(workspace.system().reportRequest().send().dropPipeline(), "the report");
  auto report = response.getReport();
  CHECK(report.getStages().size() >= 4);
  uint64_t last = 0;
  for (auto stage : report.getStages()) {
    CHECK(stage.getStartMicros() >= last);
    CHECK(stage.getFailure() == "");
    last = stage.getStartMicros();
  }
  CHECK(report.getKernel() == workspace.shell("uname -r"));
  CHECK(report.getImage().getName() == "base");
  CHECK(report.getDataDisk().isReady());
}

TEST_CASE("CPU, memory and disk are exactly what was asked for") {
  auto& host = sharedWorkspace().host;
  TestWorkspace workspace(host, {.name = "sized", .cpus = 2, .memoryMib = 640, .diskMib = 300});
  CHECK(workspace.shell("nproc") == "2");
  CHECK(workspace.shell("cat /sys/block/vdb/size") == kj::str(300ull * 1024 * 1024 / 512));
  // MemTotal leaves out what the kernel keeps for itself; its memory blocks do not.
  auto blocks = workspace.shell(
      "cd /sys/devices/system/memory && echo $((0x$(cat block_size_bytes) / 1048576 * $(ls -d "
      "memory[0-9]* | wc -l)))");
  CHECK(blocks == "640");
  // Its first boot.
  auto response = host.wait(workspace.system().reportRequest().send().dropPipeline(), "the report");
  REQUIRE(response.getReport().getDataDisk().isReady());
  CHECK(response.getReport().getDataDisk().getReady().getCreated());
  host.deleteWorkspace(workspace.name);
}

TEST_CASE("files outlive a stop, and the second boot makes no disk") {
  auto& [host, workspace] = sharedWorkspace();
  workspace.shell("echo kept > ~/file; echo system | sudo tee /etc/mine");
  CHECK(host.stopWorkspace("test", 30000) == rpc::Supervisor::StopKind::ORDERLY);
  workspace.startAgain();
  CHECK(workspace.shell("cat ~/file /etc/mine") == "kept\nsystem");
  auto response = host.wait(workspace.system().reportRequest().send().dropPipeline(), "the report");
  REQUIRE(response.getReport().getDataDisk().isReady());
  CHECK_FALSE(response.getReport().getDataDisk().getReady().getCreated());
}

TEST_CASE("P45 a stubborn process is asked, given its time, and ended") {
  auto& [host, workspace] = sharedWorkspace();
  TestTerminal terminal(workspace, {.argv = {"/bin/sh"_kj, "-c"_kj,
                                             "trap 'echo asked; sync' TERM HUP; echo stubborn; "
                                             "while :; do sleep 1000; done"_kj}});
  terminal.waitForText("stubborn");
  workspace.shell("echo synced > ~/file");
  CHECK(host.stopWorkspace("test", 3000) == rpc::Supervisor::StopKind::ORDERLY);
  workspace.startAgain();
  CHECK(workspace.shell("cat ~/file") == "synced");
}

TEST_CASE(
    "P45 a program that root has frozen is asked as all others, and the grace is not waited out") {
  auto& [host, workspace] = sharedWorkspace();
  TestTerminal terminal(workspace, {.argv = {"/bin/sh"_kj, "-c"_kj,
                                             "trap 'echo asked > ~/asked; sync; exit' TERM HUP; "
                                             "echo waits; while :; do sleep 0.1; done"_kj}});
  terminal.waitForText("waits");
  workspace.shell("for g in /sys/fs/cgroup/terminals/program-*; do echo 1 > $g/cgroup.freeze; done",
                  "root");
  auto begun = host.now();
  CHECK(host.stopWorkspace("test", 30000) == rpc::Supervisor::StopKind::ORDERLY);
  CHECK(host.now() - begun < 25 * kj::SECONDS);
  workspace.startAgain();
  CHECK(workspace.shell("cat ~/asked; rm ~/asked") == "asked");
}

TEST_CASE("a machine that powers itself off is stopped, and says who did it") {
  auto& [host, workspace] = sharedWorkspace();
  EventRecord events(host, EventRecord::newest(host));
  // The answer may be lost: the machine may be faster.
  host.wait(workspace.system().powerOffRequest().send().dropPipeline().ignoreResult().catch_(
                [](kj::Exception&&) {}),
            "the order");
  events.waitFor(rpc::Cause::GUEST_POWERED_OFF);
  CHECK(host.stateOf("test") == rpc::WorkspaceState::STOPPED);
}

// Runs a command that ends the machine, as somebody in a terminal would.
void endFromInside(SupervisedHost& host, TestWorkspace& workspace, kj::StringPtr command) {
  INFO(command.cStr());
  auto state = [&]() { return host.stateOf("test"); };
  // The command is answered, or the end was faster.
  host.wait(
      workspace.start({"/bin/sh"_kj, "-c"_kj, command}).ignoreResult().catch_([](kj::Exception&&) {
      }),
      command);
  const auto deadline = host.now() + SupervisedHost::LIMIT;
  while (state() != rpc::WorkspaceState::STOPPED) {
    REQUIRE(host.now() < deadline);
    host.timer.afterDelay(50 * kj::MILLISECONDS).wait(host.scope);
  }
}

TEST_CASE("P45 poweroff, halt and shutdown end the machine in order, and so do signals to PID 1") {
  auto& [host, workspace] = sharedWorkspace();
  EventRecord events(host, EventRecord::newest(host));
  auto shutdowns = [&]() {
    return workspace.shell("last -x shutdown | grep -c '^shutdown' || :").parseAs<int>();
  };
  const int before = shutdowns();
  for (kj::StringPtr command : {"sudo poweroff"_kj, "sudo halt"_kj,
                                "sudo shutdown -h now for today"_kj, "sudo kill -USR2 1"_kj,
                                "sudo sh -c 'printf \"USEC=%s\\nMODE=poweroff\\n\" \"$(date "
                                "+%s)000000\" > /run/bothy/shutdown;"
                                " kill -HUP 1'"_kj}) {
    workspace.shell(kj::str("echo '", command.slice(0, 9), "' >> ~/ends"));
    endFromInside(host, workspace, command);
    workspace.startAgain();
  }
  events.waitFor(rpc::Cause::GUEST_POWERED_OFF);
  for (auto event : events.all()) {
    CHECK(event.getCause() != rpc::Cause::VM_EXITED);
  }
  CHECK(workspace.shell("wc -l < ~/ends; rm ~/ends") == "5");
  CHECK(workspace.shell("dmesg | grep -c 'recovery complete' || :", "root") == "0");
  CHECK(shutdowns() == before + 5);
}

TEST_CASE("P45 up starts a machine that was told to power off a moment before") {
  auto& [host, workspace] = sharedWorkspace();
  CommandLine bothy(host);
  for (int i = 0; i < 3; ++i) {
    bothy.run({"exec"_kj, "test"_kj, "--"_kj, "sudo"_kj, "poweroff"_kj});
    auto up = bothy.run({"up"_kj, "test"_kj, "--"_kj, "echo"_kj, "runs"_kj});
    INFO(up.err.cStr());
    CHECK(up.status == 0);
    CHECK(up.out == "runs\n");
  }
}

TEST_CASE("P45 reboot is answered, ends the machine in order, and it runs again") {
  auto& [host, workspace] = sharedWorkspace();
  EventRecord events(host, EventRecord::newest(host));
  auto bootId = [&]() { return workspace.shell("cat /proc/sys/kernel/random/boot_id"); };
  auto before = bootId();
  workspace.shell("echo kept > ~/file");
  auto finished = workspace.run({"/usr/bin/sudo"_kj, "reboot"_kj});
  // sudo may be asked to end before it has seen that reboot has.
  CHECK((finished.status == "exited 0" || finished.status == "killed 15"));
  events.waitUntil(
      [&]() {
        for (auto event : events.all()) {
          if (event.getCause() == rpc::Cause::GUEST_REBOOTED &&
              event.getAfter() == rpc::WorkspaceState::RUNNING) {
            return true;
          }
        }
        return false;
      },
      "the next boot");
  workspace.reconnect();
  CHECK(bootId() != before);
  CHECK(workspace.shell("cat ~/file") == "kept");
  CHECK(workspace.shell("dmesg | grep -c 'recovery complete' || :", "root") == "0");
}

TEST_CASE("P45 shutdown refuses what it cannot do, and says what is ordered for later") {
  auto& [host, workspace] = sharedWorkspace();
  CHECK(workspace.shell("PATH=$PATH:/usr/sbin; poweroff 2>&1; echo $?") ==
        "poweroff: only root may do this: sudo poweroff\n1");
  CHECK(workspace.shell("shutdown tomorrow 2>&1; echo $?", "root") ==
        "shutdown: no time: tomorrow (now, +MINUTES or HH:MM) (shutdown --help)\n1");
  CHECK(workspace.shell("shutdown -x 2>&1; echo $?", "root") ==
        "shutdown: unknown option -x (shutdown --help)\n1");
  CHECK(workspace.shell("reboot -w; halt --wtmp-only; echo here", "root") == "here");
  CHECK(workspace.shell("shutdown -r +60 2> /dev/null; shutdown --show | cut -c1-17; shutdown -c; "
                        "shutdown --show 2>&1; echo $?",
                        "root") == "Reboot scheduled \nshutdown: No scheduled shutdown.\n1");
}

TEST_CASE("P45 two orders to end at once end the machine") {
  auto& [host, workspace] = sharedWorkspace();
  EventRecord events(host, EventRecord::newest(host));
  auto first = workspace.system().powerOffRequest();
  first.setGraceMillis(30000);
  auto second = workspace.system().powerOffRequest();
  auto answers = kj::heapArrayBuilder<kj::Promise<void>>(2);
  for (auto* order : {&first, &second}) {
    answers.add(order->send().dropPipeline().ignoreResult().catch_([](kj::Exception&&) {}));
  }
  host.wait(kj::joinPromises(answers.finish()), "the orders");
  events.waitFor(rpc::Cause::GUEST_POWERED_OFF);
  CHECK(host.stateOf("test") == rpc::WorkspaceState::STOPPED);
}

TEST_CASE("P44 a damaged disk is reported, left as it is, and the agent stays reachable") {
  auto& host = sharedWorkspace().host;
  TestWorkspace workspace(host, {.name = "damaged"});
  // From within: to the host it is noise.  The file system, which is mounted still, is to write nothing beneath it.
  auto content = [&](kj::StringPtr first) {
    return workspace.shell(kj::str(first, "head -c 4M /dev/vdb | sha256sum"), "root");
  };
  auto before = content(
      "fsfreeze -f /var/lib/docker; "
      "dd if=/dev/urandom of=/dev/vdb bs=4096 count=1024 conv=fsync,notrunc status=none; ");
  EventRecord events(host, EventRecord::newest(host));
  KJ_SYSCALL(kill(workspace.qemu(), SIGKILL));
  events.waitFor(rpc::Cause::VM_EXITED);

  workspace.startAgain();
  auto response = host.wait(workspace.system().reportRequest().send().dropPipeline(), "the report");
  CHECK(response.getReport().getDataDisk().isDamaged());
  CHECK(workspace.shell("echo reachable") == "reachable");
  CHECK(content("") == before);
  host.deleteWorkspace(workspace.name);
}

TEST_CASE("P45 a data disk that root has frozen does not keep its machine from ending in order") {
  auto& [host, workspace] = sharedWorkspace();
  // Of the disk itself: an overlay cannot be frozen.
  workspace.shell("fsfreeze -f /var/lib/docker", "root");
  CHECK(host.stopWorkspace(workspace.name) == rpc::Supervisor::StopKind::ORDERLY);
  workspace.startAgain();
  CHECK(workspace.shell("echo written > ~/after; cat ~/after") == "written");
}

TEST_CASE("an idle machine does not wake its agent") {
  auto& [host, workspace] = sharedWorkspace();
  // The agent's count of voluntary switches, read by the guest itself: asking the agent would wake it.  Some
  // seconds after it has spoken it makes its device look for the client, see HostConnections.  And all that it reads and
  // writes is read and written before: to wait for a disk wakes the agent, see DiskWatch.
  auto count = workspace.shell(
      "w() { awk '/^voluntary/ { print $2 }' /proc/1/status; }; w > /dev/null; sync; sleep 10; "
      "a=$(w); sleep 5; "
      "b=$(w); "
      "echo $((b - a))",
      "root");
  CHECK(count == "0");
}

TEST_CASE("P24 two machines of one image share no identity") {
  auto& [host, one] = sharedWorkspace();
  TestWorkspace two(host, {.name = "two"});
  for (auto command : {"cat /etc/machine-id", "cat /proc/sys/kernel/random/boot_id",
                       "head -c 4096 /dev/urandom | sha256sum"}) {
    auto first = one.shell(command);
    CHECK(first != "");
    CHECK(first != two.shell(command));
  }
  host.deleteWorkspace(two.name);
}

}  // namespace
}  // namespace bothy
