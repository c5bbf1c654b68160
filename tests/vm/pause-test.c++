// Workspaces that are paused: their CPUs stand still, and their memory is kept.  All scenarios share a machine.

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <chrono>
#include <fstream>
#include <string>

#include "support/command-line.h"
#include "support/event-record.h"
#include "support/host-program.h"
#include "support/local-terminal.h"
#include "support/shared-workspace.h"

namespace bothy {
namespace {

bool has(kj::StringPtr text, const char* part) {
  return strstr(text.cStr(), part) != nullptr;
}

void pause(SupervisedHost& host) {
  auto request = host.supervisor().pauseRequest();
  request.setName("test");
  auto response = host.wait(request.send().dropPipeline(), "the pause");
  KJ_REQUIRE(response.getOutcome().isPaused(), response.getOutcome());
}

void resume(SupervisedHost& host) {
  auto request = host.supervisor().resumeRequest();
  request.setName("test");
  auto response = host.wait(request.send().dropPipeline(), "the resume");
  KJ_REQUIRE(response.getOutcome().isResumed(), response.getOutcome());
}

// Of all its threads, in ticks of the kernel's clock.
uint64_t processorTicks(pid_t pid) {
  std::ifstream file(kj::str("/proc/", pid, "/stat").cStr());
  std::string text;
  std::getline(file, text);
  auto rest = text.substr(text.rfind(')') + 2);
  unsigned long user = 0, system = 0;
  // state ppid pgrp session tty tpgid flags minflt cminflt majflt cmajflt utime stime
  KJ_REQUIRE(sscanf(rest.c_str(), "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                    &system) == 2);
  return user + system;
}

double guestClock(TestWorkspace& workspace) {
  return atof(workspace.shell("date +%s.%N").cStr());
}
double hostClock() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

TEST_CASE(
    "P44 P58 a paused workspace takes no processor time, keeps its programs, and has the right "
    "time after it") {
  auto& [host, workspace] = sharedWorkspace();
  EventRecord events(host, EventRecord::newest(host));
  const auto boot = workspace.shell("cat /proc/sys/kernel/random/boot_id");
  // A program that keeps the guest's processor busy.
  workspace.shell("nohup sh -c 'echo $$ > /tmp/busy; while :; do :; done' > /dev/null 2>&1 &");
  const pid_t qemu = workspace.qemu();
  pause(host);
  CHECK(host.stateOf("test") == rpc::WorkspaceState::PAUSED);
  auto device = kj::str("vhost-device-vsoc[k].*", workspace.info().getId());
  auto devices = runProgram({"/usr/bin/pgrep"_kj, "-af"_kj, device});
  INFO(devices.out.cStr());
  CHECK(devices.status == 1);

  constexpr auto LONG = 5 * kj::SECONDS;
  const auto qemuBefore = processorTicks(qemu), bothydBefore = processorTicks(host.pid());
  host.timer.afterDelay(LONG).wait(host.scope);
  // A tick is 10 ms: QEMU's own timers and bothyd's loop may take one now and then.
  CHECK(processorTicks(qemu) - qemuBefore <= 5);
  CHECK(processorTicks(host.pid()) - bothydBefore <= 5);

  resume(host);
  workspace.reconnect();
  CHECK(workspace.qemu() == qemu);
  CHECK(workspace.shell("cat /proc/sys/kernel/random/boot_id") == boot);
  CHECK(workspace.shell("kill -0 $(cat /tmp/busy) && echo alive") == "alive");
  const auto before = hostClock();
  const auto guest = guestClock(workspace);
  CHECK(guest > before - 1);
  CHECK(guest < hostClock() + 1);
  workspace.shell("kill $(cat /tmp/busy)");

  bool isTold = false;
  for (auto event : events.ofHost()) {
    CHECK(event.getCause() != rpc::Cause::VSOCK_LOST);
    if (event.getBefore() != rpc::WorkspaceState::RESUMING) continue;
    isTold = true;
    INFO(event.getDetail().cStr());
    CHECK(event.getAfter() == rpc::WorkspaceState::RUNNING);
    CHECK(has(event.getDetail(), "it was paused for "));
    CHECK(has(event.getDetail(), "s behind"));
  }
  CHECK(isTold);
}

TEST_CASE(
    "P09 lanes end with the reason, and none is given until the workspace goes on or is woken") {
  auto& [host, workspace] = sharedWorkspace();
  auto connected = workspace.connect([](auto wanted) { wanted.setCommands(); });
  REQUIRE(connected.getOutcome().isConnected());
  auto ended = connected.getLane().whenEndedRequest().send();
  pause(host);
  CHECK(host.wait(ended.dropPipeline(), "the end of the lane").getReason() == rpc::LaneEnd::PAUSED);
  auto asleep = workspace.connect([](auto wanted) { wanted.setCommands(); });
  REQUIRE(asleep.getOutcome().isNotRunning());
  CHECK(asleep.getOutcome().getNotRunning() == rpc::WorkspaceState::PAUSED);

  auto waiting = host.supervisor().whenResumedRequest();
  waiting.setName("test");
  auto resumed = waiting.send();
  auto request = host.supervisor().connectRequest();
  request.setName("test");
  request.setWake(true);
  request.initWanted().setCommands();
  auto woken = host.wait(request.send().dropPipeline(), "the lane");
  CHECK(woken.getOutcome().isConnected());
  CHECK(host.wait(resumed.dropPipeline(), "the end of the pause").getState() ==
        rpc::WorkspaceState::RUNNING);
}

TEST_CASE("P14 a terminal goes on over a pause and a restart of bothyd, with each byte once") {
  auto& [host, workspace] = sharedWorkspace();
  LocalTerminal user({CommandLine::program(), "--socket"_kj, host.socket(), "shell"_kj, "test"_kj},
                     80, 24);
  user.type("stty -echo; PS1=; clear\r");
  user.type(
      "i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo \"line $i.\"; sleep 0.01; done > /dev/tty; "
      "echo 'all 'written\r");
  user.waitForText("line 20.");
  pause(host);
  user.waitForText("press a key to wake it");
  const bool isKilled = GENERATE(false, true);
  if (isKilled) {
    host.restart(SIGKILL);
    CHECK(host.stateOf("test") == rpc::WorkspaceState::PAUSED);
  }
  user.type("\r");
  user.waitForText("connected again");
  user.waitForText("all written");
  user.type("exit 7\r");
  CHECK(user.waitForExit() == 7);
  CHECK(host.stateOf("test") == rpc::WorkspaceState::RUNNING);
}

TEST_CASE("P14 P41 a program goes on over a pause and a restart of bothyd, with each byte once") {
  auto& [host, workspace] = sharedWorkspace();
  auto out = kj::str(host.directory(), "/out");
  auto script = kj::str(CommandLine::program(), " --socket ", host.socket(),
                        " exec test -- sh -c 'i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo $i; "
                        "sleep 0.02; done' > ",
                        out, " 2> ", out, ".err & echo $!");
  // In the background, since all of it goes on while this test pauses the workspace.
  auto started = runProgram({"/bin/sh"_kj, "-c"_kj, script});
  REQUIRE(started.status == 0);
  auto lines = [&]() {
    return atoi(runProgram({"/bin/sh"_kj, "-c"_kj, kj::str("wc -l < ", out)}).out.cStr());
  };
  auto until = [&](int count) {
    const auto deadline = host.now() + SupervisedHost::LIMIT;
    while (lines() < count) {
      KJ_REQUIRE(host.now() < deadline, "no output", lines());
      host.timer.afterDelay(50 * kj::MILLISECONDS).wait(host.scope);
    }
  };
  until(20);
  pause(host);
  host.restart(SIGKILL);
  const auto stood = lines();
  host.timer.afterDelay(1 * kj::SECONDS).wait(host.scope);
  // A program that lost its lane wakes nobody.
  CHECK(lines() == stood);
  CHECK(host.stateOf("test") == rpc::WorkspaceState::PAUSED);
  resume(host);
  until(300);
  CHECK(runProgram({"/bin/sh"_kj, "-c"_kj, kj::str("seq 300 | cmp - ", out)}).status == 0);
}

TEST_CASE("P58 a new command wakes a paused workspace, and `up` and `cp` do") {
  auto& [host, workspace] = sharedWorkspace();
  CommandLine bothy(host);
  auto file = kj::str(host.directory(), "/copied");
  workspace.shell("echo kept > ~/file");
  struct {
    kj::Array<kj::StringPtr> arguments;
    kj::StringPtr out;
  } const CALLS[] = {
      {kj::heapArray<kj::StringPtr>({"exec"_kj, "test"_kj, "--"_kj, "cat"_kj, "file"_kj}),
       "kept\n"},
      {kj::heapArray<kj::StringPtr>({"up"_kj, "test"_kj, "--"_kj, "cat"_kj, "file"_kj}), "kept\n"},
      {kj::heapArray<kj::StringPtr>({"cp"_kj, "test:file"_kj, file}), ""},
      {kj::heapArray<kj::StringPtr>({"start"_kj, "test"_kj}), ""},
      {kj::heapArray<kj::StringPtr>({"resume"_kj, "test"_kj}), ""},
  };
  for (auto& call : CALLS) {
    auto paused = bothy.run({"pause"_kj, "test"_kj});
    INFO(paused.err.cStr());
    REQUIRE(paused.status == 0);
    auto list = bothy.run({"ls"_kj});
    CHECK(has(list.out, "paused"));
    CHECK(has(list.out, " ago"));
    auto ran = bothy.run(call.arguments);
    INFO(call.arguments[0].cStr() << ": " << ran.err.cStr());
    CHECK(ran.status == 0);
    CHECK(ran.out == call.out);
    CHECK(host.stateOf("test") == rpc::WorkspaceState::RUNNING);
  }
  CHECK(hostOutput({"/bin/cat"_kj, file}) == "kept\n");
}

TEST_CASE(
    "P45 a paused workspace is stopped in order, with what its programs wrote and did not sync") {
  auto& [host, workspace] = sharedWorkspace();
  workspace.shell("head -c 8000000 /dev/zero | tr '\\0' x > ~/unsynced");
  pause(host);
  CHECK(host.stopWorkspace("test", 30000) == rpc::Supervisor::StopKind::ORDERLY);
  workspace.startAgain();
  CHECK(workspace.shell("wc -c < ~/unsynced; tr -d x < ~/unsynced | wc -c") == "8000000\n0");
}

TEST_CASE(
    "P58 a QEMU that dies while its workspace is paused is told of, and a delete of a paused one "
    "leaves nothing") {
  auto& [host, workspace] = sharedWorkspace();
  EventRecord events(host, EventRecord::newest(host));
  pause(host);
  KJ_SYSCALL(kill(workspace.qemu(), SIGKILL));
  events.waitFor(rpc::Cause::VM_EXITED);
  CHECK(host.stateOf("test") == rpc::WorkspaceState::FAILED);
  workspace.startAgain();
  CHECK(workspace.shell("echo fine") == "fine");

  TestWorkspace other(host, {.name = "other"});
  const pid_t qemu = other.qemu();
  auto request = host.supervisor().pauseRequest();
  request.setName("other");
  CHECK(host.wait(request.send().dropPipeline(), "the pause").getOutcome().isPaused());
  host.deleteWorkspace("other");
  CHECK(kill(qemu, 0) != 0);
}

}  // namespace
}  // namespace bothy
