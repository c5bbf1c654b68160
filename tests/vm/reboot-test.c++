// Machines whose guest reboots, and starts that are stopped.  All scenarios share a machine.

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include <random>

#include "support/event-record.h"
#include "support/host-program.h"
#include "support/shared-workspace.h"

namespace bothy {
namespace {

constexpr kj::StringPtr RESET_AT_ONCE = "sync; echo b > /proc/sysrq-trigger"_kj;

// Waits until the guest has rebooted so often.
void waitForReboot(EventRecord& events, size_t number) {
  events.waitUntil(
      [&]() {
        size_t count = 0;
        for (auto event : events.all()) {
          if (event.getCause() == rpc::Cause::GUEST_REBOOTED &&
              event.getAfter() == rpc::WorkspaceState::STARTING) {
            count++;
          }
        }
        return count >= number;
      },
      "the reboot");
}

// A start joins the one that is under way, if it is.
void waitUntilItRuns(TestWorkspace& workspace) {
  workspace.host.startWorkspace(workspace.name);
  workspace.reconnect();
}

// The answer may be lost: the machine may be faster.
void order(TestWorkspace& workspace, kj::StringPtr script) {
  auto ordered = workspace.start({"/bin/sh"_kj, "-c"_kj, script}, "root");
  workspace.host.wait(ordered.ignoreResult().catch_([](kj::Exception&&) {}), "the order");
}

TEST_CASE("a guest that reboots runs again by itself, with its disk and a boot of its own") {
  auto& [host, workspace] = sharedWorkspace();
  EventRecord events(host, EventRecord::newest(host));
  workspace.shell("echo kept > ~/file; sync");
  auto boot = workspace.shell("cat /proc/sys/kernel/random/boot_id");
  const pid_t qemu = workspace.qemu();
  SECTION("in order") {
    host.wait(workspace.system().rebootRequest().send().dropPipeline().ignoreResult().catch_(
                  [](kj::Exception&&) {}),
              "the order");
  }
  SECTION("at once") {
    order(workspace, RESET_AT_ONCE);
  }
  waitForReboot(events, 1);
  waitUntilItRuns(workspace);
  CHECK(events.ofHost().back().getCause() == rpc::Cause::GUEST_REBOOTED);
  CHECK(workspace.shell("cat ~/file") == "kept");
  CHECK(workspace.shell("cat /proc/sys/kernel/random/boot_id") != boot);
  CHECK(workspace.qemu() != qemu);
  CHECK(host.stopWorkspace("test", 30000) == rpc::Supervisor::StopKind::ORDERLY);
}

TEST_CASE("P45 a guest that reboots again and again is slowed down, and a stop ends it") {
  auto& [host, workspace] = sharedWorkspace();
  EventRecord events(host, EventRecord::newest(host));
  // At once, after 1 s, after 2 s.
  for (size_t count : {1, 2, 3}) {
    order(workspace, RESET_AT_ONCE);
    waitForReboot(events, count);
    waitUntilItRuns(workspace);
  }
  order(workspace, RESET_AT_ONCE);
  waitForReboot(events, 4);
  CHECK(strstr(events.ofHost().back().getDetail().cStr(), "it waits 4 s") != nullptr);
  // On a busy machine it may be booting again by now.
  host.stopWorkspace("test", 30000);
  CHECK(host.stateOf("test") == rpc::WorkspaceState::STOPPED);
  workspace.startAgain();
  CHECK(workspace.shell("echo again") == "again");
}

// Returns when the only QEMU that has its monitor below a directory waits to be ended, as it does after a reset of its guest.
constexpr kj::StringPtr AWAIT_SHUTDOWN = R"(
import glob, json, socket, sys, time
path, = glob.glob(sys.argv[1] + '/**/monitor.sock', recursive=True)
status = None
while status != 'shutdown':
    time.sleep(0.1)
    with socket.socket(socket.AF_UNIX) as monitor:
        monitor.connect(path)
        stream = monitor.makefile('rw')
        for command in ('qmp_capabilities', 'query-status'):
            print(json.dumps({'execute': command}), file=stream, flush=True)
        for line in stream:
            status = json.loads(line).get('return', {}).get('status')
            if status: break
)"_kj;

TEST_CASE("P41 a guest that reboots while no bothyd runs is found gone, and starts again") {
  auto& [host, workspace] = sharedWorkspace();
  const pid_t qemu = workspace.qemu();
  workspace.shell("(sleep 10; echo b > /proc/sysrq-trigger) > /dev/null 2>&1 &", "root");
  host.stop(SIGKILL);
  hostOutput({"/usr/bin/python3"_kj, "-c"_kj, AWAIT_SHUTDOWN, host.directory()});
  host.start();
  CHECK(host.stateOf("test") == rpc::WorkspaceState::STOPPED);
  CHECK(kill(qemu, 0) < 0);
  workspace.startAgain();
  CHECK(workspace.shell("echo again") == "again");
}

TEST_CASE("P45 a stop at any moment of a boot ends it, within its time, and says which way") {
  const uint stops = getenv("BOTHY_FULL") == nullptr ? 12 : 50;
  // P45's.
  constexpr auto STOP_LIMIT = 30 * kj::SECONDS;
  auto& [host, workspace] = sharedWorkspace();
  workspace.shell("echo kept > ~/file; sync");
  host.stopWorkspace("test");
  auto begun = host.timer.now();
  workspace.startAgain();
  auto boot = host.timer.now() - begun;
  host.stopWorkspace("test");

  const uint seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  std::uniform_int_distribution<uint64_t> moment(0, boot / kj::MICROSECONDS);
  for (uint i = 0; i < stops; i++) {
    auto start = host.supervisor().startRequest();
    start.setName("test");
    auto starting = start.send().dropPipeline();
    auto after = moment(random);
    INFO("stopped " << after << " us after the start began");
    host.timer.afterDelay(after * kj::MICROSECONDS).wait(host.scope);
    auto stop = host.supervisor().stopRequest();
    stop.setName("test");
    stop.setGraceMillis(10000);
    auto stopped = host.wait(stop.send().dropPipeline(), "the stop", STOP_LIMIT);
    CHECK(stopped.getOutcome().isStopped());
    auto started = host.wait(kj::mv(starting), "the start's end", STOP_LIMIT);
    CHECK((started.getOutcome().isStopped() || started.getOutcome().isStarted()));
    CHECK(host.stateOf("test") == rpc::WorkspaceState::STOPPED);
  }
  CHECK(hostOutput({"/bin/sh"_kj, "-c"_kj,
                    kj::str("pgrep -f '[q]emu-system.*", host.directory(), "' || :")}) == "");
  workspace.startAgain();
  CHECK(workspace.shell("cat ~/file") == "kept");
}

}  // namespace
}  // namespace bothy
