// What a machine that was hibernated is like when it goes on.

#include <signal.h>
#include <stdlib.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include <set>
#include <sstream>
#include <string>

#include "support/host-program.h"
#include "support/test-workspace.h"

namespace bothy {
namespace {

void hibernate(SupervisedHost& host) {
  auto request = host.supervisor().hibernateRequest();
  request.setName("test");
  auto response = host.wait(request.send().dropPipeline(), "the hibernation");
  KJ_REQUIRE(response.getOutcome().isHibernated(), response.getOutcome());
}

void resume(SupervisedHost& host) {
  auto request = host.supervisor().resumeRequest();
  request.setName("test");
  auto response = host.wait(request.send().dropPipeline(), "the resume");
  KJ_REQUIRE(response.getOutcome().isResumed(), response.getOutcome());
}

// What the kernel gives in many small pieces: two that were equal once are equal for as long as nothing comes between.
std::set<std::string> randomPieces(TestWorkspace& workspace) {
  auto text =
      workspace.shell("dd if=/dev/urandom bs=32 count=4000 status=none | od -An -v -tx1 -w32");
  std::set<std::string> pieces;
  std::istringstream lines(text.cStr());
  for (std::string line; std::getline(lines, line);) pieces.insert(line);
  REQUIRE(pieces.size() == 4000);
  return pieces;
}

TEST_CASE(
    "P24 a host that is put back wholly, and goes on with a memory once more, has other "
    "randomness") {
  SupervisedHost host;
  TestWorkspace workspace(host, {.name = "test"});
  const auto boot = workspace.shell("cat /proc/sys/kernel/random/boot_id");
  // The kernel of a machine that has not run for long seeds its randomness anew every few seconds, later every minute.
  if (getenv("BOTHY_FULL") != nullptr) {
    while (atoi(workspace.shell("cut -d. -f1 /proc/uptime").cStr()) < 130) {
      host.timer.afterDelay(1 * kj::SECONDS).wait(host.scope);
    }
  }
  hibernate(host);
  host.stop(SIGTERM);
  auto state = kj::str(host.directory(), "/state"), copy = kj::str(host.directory(), "/copy");
  hostOutput({"/bin/cp"_kj, "-a"_kj, "--sparse=always"_kj, state, copy});
  auto goOn = [&]() {
    host.start();
    resume(host);
    workspace.reconnect();
    auto pieces = randomPieces(workspace);
    CHECK(workspace.shell("cat /proc/sys/kernel/random/boot_id") == boot);
    return pieces;
  };
  auto first = goOn();
  host.stopWorkspace("test", 0);
  host.stop(SIGTERM);
  hostOutput({"/bin/rm"_kj, "-rf"_kj, state});
  hostOutput({"/bin/mv"_kj, copy, state});
  auto second = goOn();
  size_t common = 0;
  for (auto& piece : second) common += first.contains(piece);
  CHECK(common == 0);
}

TEST_CASE(
    "P25 what is under way ends with an error, and the agent is reached at once, after each of "
    "many hibernations") {
  const bool isFull = getenv("BOTHY_FULL") != nullptr;
  const int cycles = isFull ? 100 : 3;
  // A second as promised; a machine that is busy with other tests may take longer.
  const auto limit = isFull ? 1 * kj::SECONDS : 10 * kj::SECONDS;
  SupervisedHost host;
  TestWorkspace workspace(host, {.name = "test"});
  kj::StringPtr argv[] = {"/bin/sh"_kj, "-c"_kj, "while :; do echo traffic; sleep 0.01; done"_kj};
  for (int i = 0; i < cycles; i++) {
    INFO("cycle " << i);
    TestTerminal terminal(workspace, {.argv = argv});
    terminal.waitForText("traffic");
    auto lane = workspace.openLane([](rpc::LaneRequest::Builder wanted) { wanted.setCommands(); });
    auto programs = workspace.start(kj::arr("/bin/sleep"_kj, "1000"_kj));
    const auto before = workspace.connections();
    hibernate(host);
    host.wait(lane->onDisconnect(), "the end of a lane", limit);
    CHECK(kj::runCatchingExceptions([&]() {
            host.wait(programs.ignoreResult(), "the end of a call", limit);
          }) != nullptr);
    resume(host);
    const auto begun = host.now();
    workspace.reconnect();
    CHECK(workspace.shell("echo fine") == "fine");
    CHECK(host.now() - begun <= limit);
    // In the guest nobody reads from a connection of before.
    CHECK(workspace.connections().size() < before.size());
    terminal.find();
    auto request = terminal.client().signalRequest();
    request.setNumber(SIGKILL);
    host.wait(request.send().ignoreResult(), "the end of a terminal's program");
  }
}

}  // namespace
}  // namespace bothy
