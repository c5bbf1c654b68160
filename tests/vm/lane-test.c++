// What becomes of lanes when one of those who have to do with them is killed.  All scenarios share a host.

#include <kj/debug.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <catch2/catch_test_macros.hpp>

#include "lane/lane-descriptor.h"
#include "schema/agent.capnp.h"
#include "support/background-client.h"
#include "support/deaf-machine.h"
#include "support/event-record.h"
#include "support/host-program.h"
#include "support/shared-workspace.h"
#include "support/unnoticed-restart.h"

namespace bothy {
namespace {

bool isFull() {
  return getenv("BOTHY_FULL") != nullptr;
}

SharedWorkspace& roomyWorkspace() {
  return sharedWorkspace({.memoryMib = 512, .diskMib = isFull() ? 3072u : 512u});
}

TEST_CASE("P41 kill -9 of bothyd under a copy and ten terminals costs no lane and no byte") {
  constexpr int TERMINALS = 10;
  // More than a client reads or writes before it copies, and much less than there is to copy.
  constexpr uint64_t BEGUN_BYTES = 8 * 1024 * 1024;
  auto& [host, workspace] = roomyWorkspace();
  // Pauses without a process each.
  workspace.shell("mkfifo pause");
  kj::Vector<kj::Own<BackgroundClient>> terminals;
  for (int i = 0; i < TERMINALS; i++) {
    terminals.add(kj::heap<BackgroundClient>(
        host,
        kj::ArrayPtr<const kj::StringPtr>(
            {"shell"_kj, "test"_kj, "--"_kj, "bash"_kj, "-c"_kj,
             "exec 3<>~/pause; until test -e ~/stop; do echo $((++i)); read -t 0.1 -u 3; done; exit 7"_kj})));
  }
  workspace.shell("until test $(pgrep -c -f '^bash -c exec 3') = 10; do sleep 0.1; done");

  // There and back again.
  auto from = kj::str(host.directory(), "/from"), to = kj::str(host.directory(), "/to");
  hostOutput({"/bin/sh"_kj, "-c"_kj,
              kj::str("head -c ", isFull() ? "1G" : "64M", " /dev/urandom > ", from)});
  auto copyUnderKill = [&](kj::StringPtr source, kj::StringPtr target) {
    BackgroundClient copy(host, {"cp"_kj, source, target});
    copy.awaitTransfer(BEGUN_BYTES);
    // It goes on without a bothyd, and stands still before and after, so that it is not over before the next one is there.
    copy.stop();
    restartUnnoticed(workspace, SIGKILL, 1 + TERMINALS + 1, [&]() {
      const auto transferred = copy.transferred();
      copy.resume();
      copy.awaitTransfer(transferred + BEGUN_BYTES);
      copy.stop();
    });
    copy.resume();
    auto finished = copy.finish();
    INFO(finished.err.cStr());
    CHECK(finished.status == 0);
    // A client that connects again says so.
    CHECK(strstr(finished.err.cStr(), "bothy:") == nullptr);
  };
  copyUnderKill(from, "test:copy");
  copyUnderKill("test:copy", to);
  CHECK(runProgram({"/usr/bin/cmp"_kj, from, to}).status == 0);

  workspace.shell("touch stop");
  for (auto& terminal : terminals) {
    auto finished = terminal->finish();
    INFO(finished.err.cStr());
    CHECK(finished.status == 7);
    CHECK(strstr(finished.err.cStr(), "bothy:") == nullptr);
    // 1, 2, 3, ... to the end.
    kj::Vector<char> expected;
    for (uint i = 1; expected.size() < finished.out.size(); i++) {
      expected.addAll(kj::str(i, "\r\n"));
    }
    CHECK(expected.size() > 50);
    CHECK(expected.asPtr() == finished.out.asArray());
  }
}

TEST_CASE("P09 whoever holds a lane is told that the machine has stopped, however it does") {
  auto& [host, workspace] = roomyWorkspace();
  auto expectStopped = [&](kj::StringPtr way, kj::Function<void()> stop) {
    auto connected = workspace.connect([](auto wanted) { wanted.setInteractive(); });
    auto stream = host.wait(streamOf(connected.getLane(), host.io.unixEventPort), "its stream");
    Lane lane(kj::mv(stream), host.timer);
    host.wait(lane.answer().ignoreResult(), "the welcome");
    auto end = connected.getLane().whenEndedRequest().send().dropPipeline();
    stop();
    host.wait(lane.onDisconnect(), way);
    INFO(way.cStr());
    CHECK(host.wait(kj::mv(end), "the reason").getReason() == rpc::LaneEnd::STOPPED);
  };
  {
    kj::Maybe<kj::Promise<void>> stopping;
    expectStopped("a stop", [&]() {
      auto request = host.supervisor().stopRequest();
      request.setName("test");
      request.setGraceMillis(10000);
      stopping = request.send().ignoreResult();
    });
    host.wait(kj::mv(KJ_ASSERT_NONNULL(stopping)), "the stop");
  }
  workspace.startAgain();
  EventRecord events(host, EventRecord::newest(host));
  expectStopped("its guest turns off", [&]() {
    host.wait(workspace.system().powerOffRequest().send().dropPipeline().ignoreResult().catch_(
                  [](kj::Exception&&) {}),
              "the order");
  });
  events.waitFor(rpc::Cause::GUEST_POWERED_OFF);
  workspace.startAgain();
  expectStopped("its QEMU is killed", [&]() { KJ_SYSCALL(kill(workspace.qemu(), SIGKILL)); });
  events.waitFor(rpc::Cause::VM_EXITED);
}

TEST_CASE("S26 a lane ends with its lifetime, also without bothyd") {
  constexpr auto LIFETIME = 4 * kj::SECONDS;
  auto& [host, workspace] = roomyWorkspace();
  for (bool isBothydKilled : {false, true}) {
    INFO("bothyd is killed: " << isBothydKilled);
    const auto begin = host.now();
    auto lane = workspace.openLane([&](auto wanted) {
      wanted.setCommands();
      wanted.setLifetimeMillis(LIFETIME / kj::MILLISECONDS);
    });
    auto request = lane->bootstrap()
                       .castAs<rpc::Agent>()
                       .processesRequest()
                       .send()
                       .getProcesses()
                       .execRequest();
    auto argv = request.initCommand().initArgv(2);
    argv.set(0, "/bin/sleep");
    argv.set(1, "1001");
    auto program = host.wait(request.send(), "the program");
    REQUIRE(program.getOutcome().isStarted());
    if (isBothydKilled) host.stop(SIGKILL);
    host.wait(lane->onDisconnect(), "the end of the lane's lifetime");
    CHECK(host.now() - begin >= LIFETIME);
    // What was begun on it ends with it; the lane without a lifetime goes on.
    workspace.shell(
        "for i in $(seq 300); do pgrep -f 'sleep 100[1]' || exit 0; sleep 0.1; done; exit 1");
  }
  host.start();
}

TEST_CASE(
    "S26 a lane whose guest reads nothing ends with its lifetime, by another device: a shutdown "
    "does not reach the guest") {
  constexpr auto LIFETIME = 5 * kj::SECONDS;
  // What the guest has for ending a lane to which a client gave its lifetime, and what it takes to end the device.
  constexpr auto LEAST = 10 * kj::SECONDS;
  constexpr auto REPLACE_LIMIT = LEAST + 3 * kj::SECONDS;
  auto& host = roomyWorkspace().host;
  DeafMachine machine(host, BOTHY_DEAF_AGENT);
  EventRecord events(host, EventRecord::newest(host));
  auto other = machine.connect([](auto wanted) { wanted.setInteractive(); });
  auto othersEnd = other.getLane().whenEndedRequest().send();
  DeafMachine::FullLane lane(machine, LIFETIME);
  CHECK(lane.awaitEnd() == rpc::LaneEnd::EXPIRED);
  const auto expired = host.now();
  events.waitFor(rpc::Cause::VSOCK_LOST);
  const auto took = host.now() - expired;
  INFO(took / kj::MILLISECONDS << " ms");
  CHECK(took >= LEAST);
  CHECK(took <= REPLACE_LIMIT);
  CHECK_FALSE(lane.isUsable());
  CHECK(host.wait(kj::mv(othersEnd), "the other lane's end").getReason() ==
        rpc::LaneEnd::DEVICE_REPLACED);
  events.waitFor(rpc::Cause::VSOCK_RESTORED);
  // Who has a right comes back.
  machine.listen();
  host.deleteWorkspace("deaf");
}

}  // namespace
}  // namespace bothy
