// Workspaces that are hibernated: they have no machine, and their memory is on the host's disk.  All scenarios share a host.

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "support/command-line.h"
#include "support/event-record.h"
#include "support/host-program.h"
#include "support/local-terminal.h"
#include "support/shared-workspace.h"

namespace bothy {
namespace {

namespace fs = std::filesystem;
using State = rpc::WorkspaceState;

bool has(kj::StringPtr text, const char* part) {
  return strstr(text.cStr(), part) != nullptr;
}

void hibernate(SupervisedHost& host) {
  auto request = host.supervisor().hibernateRequest();
  request.setName("test");
  auto response = host.wait(request.send().dropPipeline(), "the hibernation");
  KJ_REQUIRE(response.getOutcome().isHibernated(), response.getOutcome());
}

void resume(SupervisedHost& host) {
  auto request = host.supervisor().resumeRequest();
  request.setName("test");
  auto response =
      host.wait(request.send().dropPipeline(), "the resume", SupervisedHost::BOOT_LIMIT);
  KJ_REQUIRE(response.getOutcome().isResumed(), response.getOutcome());
}

double clockOf(TestWorkspace& workspace) {
  return atof(workspace.shell("date +%s.%N").cStr());
}
double hostClock() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

fs::path fileOf(SupervisedHost& host, TestWorkspace& workspace, const char* suffix) {
  auto name = kj::str(host.directory(), "/state/volumes/", workspace.info().getId(), suffix);
  return name.cStr();
}

// Of the last event that led from `before` to `after`.
std::string detailOf(EventRecord& events, State before, State after) {
  std::string detail;
  for (auto event : events.ofHost()) {
    if (event.getBefore() == before && event.getAfter() == after) detail = event.getDetail().cStr();
  }
  return detail;
}

TEST_CASE(
    "P22 P23 P24 P44 P58 a hibernated workspace takes nothing but disk, and goes on with its "
    "programs, the right time and other randomness") {
  auto& [host, workspace] = sharedWorkspace();
  EventRecord events(host, EventRecord::newest(host));
  const auto boot = workspace.shell("cat /proc/sys/kernel/random/boot_id");
  // It writes down each tenth of a second of its own, and the clock's when that has moved more.
  workspace.shell(
      "nohup sh -c 'echo $$ > /tmp/ticker; while :; do date +%s.%N >> /tmp/ticks; "
      "sleep 0.1; done' > /dev/null 2>&1 &");
  workspace.shell("echo kept in memory > /dev/shm/note; echo kept on the disk > ~/note");
  const pid_t qemu = workspace.qemu();
  hibernate(host);
  CHECK(host.stateOf("test") == State::HIBERNATED);
  CHECK(kill(qemu, 0) != 0);
  auto programs = kj::str("(qem[u]|vhos[t]).*", workspace.info().getId());
  auto left = runProgram({"/usr/bin/pgrep"_kj, "-af"_kj, programs});
  INFO(left.out.cStr());
  CHECK(left.status == 1);
  CHECK(workspace.info().getHibernatedNanos() > 0);
  CHECK(workspace.info().getSavedBytes() > 1 << 20);
  CHECK(fs::exists(fileOf(host, workspace, ".memory")));
  auto capacity =
      host.wait(host.supervisor().capacityRequest().send().dropPipeline(), "the capacity");
  CHECK(capacity.getCapacity().getMemory().getUsedMib() == 0);

  host.timer.afterDelay(3 * kj::SECONDS).wait(host.scope);
  const auto woken = hostClock();
  resume(host);
  workspace.reconnect();
  CHECK(host.stateOf("test") == State::RUNNING);
  CHECK_FALSE(fs::exists(fileOf(host, workspace, ".memory")));
  CHECK(workspace.shell("cat /proc/sys/kernel/random/boot_id") == boot);
  CHECK(workspace.shell("cat /dev/shm/note ~/note") == "kept in memory\nkept on the disk");
  CHECK(workspace.shell("kill -0 $(cat /tmp/ticker) && echo alive") == "alive");
  const auto before = hostClock();
  const auto guest = clockOf(workspace);
  CHECK(guest > before - 0.5);
  CHECK(guest < hostClock() + 0.5);
  // No program saw the time of before: between two of its ticks lies all the sleep at once, and the second is right.
  workspace.shell("sleep 0.5; kill $(cat /tmp/ticker)");
  double last = 0, gapEnd = 0;
  std::istringstream ticks(workspace.shell("cat /tmp/ticks").cStr());
  for (double tick; ticks >> tick; last = tick) {
    CHECK(tick > last);
    if (last > 0 && tick - last > 2) gapEnd = tick;
  }
  CHECK(gapEnd > woken - 0.5);

  auto told = detailOf(events, State::RESUMING, State::RUNNING);
  INFO(told);
  CHECK(has(told.c_str(), "it was hibernated for "));
  CHECK(
      has(told.c_str(), "its randomness was seeded anew, and its programs stood still until then"));
  CHECK(has(detailOf(events, State::HIBERNATING, State::HIBERNATED).c_str(), "MiB on the disk"));
}

TEST_CASE("P42 memory that programs have freed is the host's again, and takes no disk") {
  constexpr uint64_t MEBIBYTE = 1 << 20;
  constexpr uint64_t FILLED_MIB = 300, LEFT_MIB = 64;
  constexpr kj::Duration RETURN_LIMIT = 60 * kj::SECONDS;
  auto& host = sharedWorkspace().host;
  TestWorkspace other(host, {.name = "other", .memoryMib = 512});
  auto residentMib = [&]() {
    auto line = hostOutput(
        {"/bin/sh"_kj, "-c"_kj,
         kj::str("awk '/^VmRSS:/ { print int($2 / 1024) }' /proc/", other.qemu(), "/status")});
    return uint64_t(atoi(line.cStr()));
  };
  // It is by and by that the guest tells what is free.
  auto untilAtMost = [&](uint64_t mib) {
    const auto begun = host.now();
    while (residentMib() > mib && host.now() - begun < RETURN_LIMIT) {
      host.timer.afterDelay(1 * kj::SECONDS).wait(host.scope);
    }
  };
  // Of what a boot has touched.
  untilAtMost(FILLED_MIB);
  const auto before = residentMib();
  CHECK(before <= FILLED_MIB);
  other.shell(
      kj::str("mkdir -p /run/noise; mount -t tmpfs -o size=", FILLED_MIB + 1,
              "M noise /run/noise; head -c ", FILLED_MIB, "M /dev/urandom > /run/noise/file"),
      "root");
  CHECK(residentMib() >= FILLED_MIB);
  other.shell("umount /run/noise", "root");
  untilAtMost(before + LEFT_MIB);
  CHECK(residentMib() <= before + LEFT_MIB);
  auto request = host.supervisor().hibernateRequest();
  request.setName("other");
  CHECK(host.wait(request.send().dropPipeline(), "the hibernation").getOutcome().isHibernated());
  CHECK(other.info().getSavedBytes() <= FILLED_MIB / 2 * MEBIBYTE);
  host.deleteWorkspace("other");
}

TEST_CASE("P22 changes of memory and disk are there after each of many hibernations") {
  auto& [host, workspace] = sharedWorkspace();
  const int cycles = getenv("BOTHY_FULL") != nullptr ? 50 : 3;
  workspace.shell("rm -f ~/cycles /dev/shm/cycles");
  std::string wanted;
  for (int i = 1; i <= cycles; i++) {
    workspace.shell(kj::str("echo ", i, " >> ~/cycles; echo ", i, " >> /dev/shm/cycles"));
    wanted += std::to_string(i) + (i < cycles ? "\n" : "");
    hibernate(host);
    resume(host);
    workspace.reconnect();
  }
  CHECK(workspace.shell("cat ~/cycles") == wanted.c_str());
  CHECK(workspace.shell("cat /dev/shm/cycles") == wanted.c_str());
}

TEST_CASE(
    "P14 P41 programs and terminals go on over a hibernation and a restart of bothyd, with each "
    "byte once") {
  auto& [host, workspace] = sharedWorkspace();
  auto out = kj::str(host.directory(), "/out");
  auto script = kj::str(CommandLine::program(), " --socket ", host.socket(),
                        " exec test -- sh -c 'i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo $i; "
                        "sleep 0.02; done' > ",
                        out, " 2> ", out, ".err & echo $!");
  LocalTerminal user({CommandLine::program(), "--socket"_kj, host.socket(), "shell"_kj, "test"_kj},
                     80, 24);
  user.type("stty -echo; PS1=; clear\r");
  user.type(
      "i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo \"line $i.\"; sleep 0.01; done > /dev/tty; "
      "echo 'all 'written\r");
  user.waitForText("line 20.");
  REQUIRE(runProgram({"/bin/sh"_kj, "-c"_kj, script}).status == 0);
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
  hibernate(host);
  user.waitForText("press a key to wake it");
  host.restart(SIGKILL);
  CHECK(host.stateOf("test") == State::HIBERNATED);
  const auto stood = lines();
  host.timer.afterDelay(1 * kj::SECONDS).wait(host.scope);
  // A program that lost its lane wakes nobody.
  CHECK(lines() == stood);
  CHECK(host.stateOf("test") == State::HIBERNATED);
  user.type("\r");
  user.waitForText("connected again");
  user.waitForText("all written");
  until(300);
  CHECK(runProgram({"/bin/sh"_kj, "-c"_kj, kj::str("seq 300 | cmp - ", out)}).status == 0);
  user.type("exit 7\r");
  CHECK(user.waitForExit() == 7);
}

TEST_CASE("P58 a paused workspace is hibernated, and a new command wakes it") {
  auto& [host, workspace] = sharedWorkspace();
  CommandLine bothy(host);
  workspace.shell("echo kept > /dev/shm/file");
  auto paused = bothy.run({"pause"_kj, "test"_kj});
  REQUIRE(paused.status == 0);
  auto done = bothy.run({"hibernate"_kj, "test"_kj});
  INFO(done.err.cStr());
  REQUIRE(done.status == 0);
  auto list = bothy.run({"ls"_kj});
  CHECK(has(list.out, "hibernated"));
  auto ran = bothy.run({"exec"_kj, "test"_kj, "--"_kj, "cat"_kj, "/dev/shm/file"_kj});
  INFO(ran.err.cStr());
  CHECK(ran.out == "kept\n");
  CHECK(host.stateOf("test") == State::RUNNING);
  workspace.reconnect();
}

TEST_CASE(
    "S43 memory of an earlier sleep, or beside a disk of one, is refused: the disk starts, and it "
    "is told") {
  auto& [host, workspace] = sharedWorkspace();
  EventRecord events(host, EventRecord::newest(host));
  workspace.shell("echo old > ~/state; sync");
  hibernate(host);
  auto memory = fileOf(host, workspace, ".memory"), disk = fileOf(host, workspace, ".qcow2");
  fs::path oldMemory = kj::str(host.directory(), "/old-memory").cStr();
  fs::path oldDisk = kj::str(host.directory(), "/old-disk").cStr();
  auto copy = [](const fs::path& from, const fs::path& to) {
    auto done = runProgram({"/bin/cp"_kj, "--sparse=always"_kj, "--preserve=all"_kj,
                            kj::StringPtr(from.c_str()), kj::StringPtr(to.c_str())});
    REQUIRE(done.status == 0);
  };
  copy(memory, oldMemory);
  copy(disk, oldDisk);
  resume(host);
  workspace.reconnect();
  const auto boot = workspace.shell("cat /proc/sys/kernel/random/boot_id");
  workspace.shell("echo new > ~/state; sync");
  hibernate(host);

  const bool isOldDisk = GENERATE(false, true);
  const bool isOldMemory = GENERATE(true, false);
  if (isOldMemory) copy(oldMemory, memory);
  if (isOldDisk) copy(oldDisk, disk);
  const bool isWhole = !isOldDisk && !isOldMemory;
  resume(host);
  workspace.reconnect();
  CHECK((workspace.shell("cat /proc/sys/kernel/random/boot_id") == boot) == isWhole);
  CHECK(workspace.shell("cat ~/state") == (isOldDisk ? "old" : "new"));
  CHECK_FALSE(fs::exists(memory));
  bool isTold = false;
  for (auto event : events.ofHost()) isTold |= event.getCause() == rpc::Cause::MEMORY_LOST;
  CHECK(isTold == !isWhole);
}

TEST_CASE("P22 memory that cannot be read is lost, and the disk is as it was when it was frozen") {
  auto& [host, workspace] = sharedWorkspace();
  EventRecord events(host, EventRecord::newest(host));
  // Not synced: the freeze does that.
  workspace.shell("head -c 8000000 /dev/zero | tr '\\0' x > ~/unsynced");
  hibernate(host);
  // Behind the seal: only QEMU finds out.
  std::fstream file(fileOf(host, workspace, ".memory"), std::ios::in | std::ios::out);
  file.seekp(3 << 20);
  for (int i = 0; i < 1 << 20; i++) file.put('x');
  file.close();
  resume(host);
  workspace.reconnect();
  CHECK(workspace.shell("wc -c < ~/unsynced; tr -d x < ~/unsynced | wc -c") == "8000000\n0");
  auto told = detailOf(events, State::RESUMING, State::STARTING);
  INFO(told);
  CHECK(has(told.c_str(), "its memory is lost, and it starts from its disk"));
}

TEST_CASE("P45 a hibernated workspace is stopped and deleted, and nothing of its memory is left") {
  auto& [host, workspace] = sharedWorkspace();
  workspace.shell("echo kept > ~/file");
  hibernate(host);
  CHECK(host.stopWorkspace("test", 30000) != rpc::Supervisor::StopKind::ALREADY);
  CHECK(host.stateOf("test") == State::STOPPED);
  CHECK_FALSE(fs::exists(fileOf(host, workspace, ".memory")));
  workspace.startAgain();
  CHECK(workspace.shell("cat ~/file") == "kept");

  TestWorkspace other(host, {.name = "other"});
  auto memory = fileOf(host, other, ".memory");
  auto request = host.supervisor().hibernateRequest();
  request.setName("other");
  CHECK(host.wait(request.send().dropPipeline(), "the hibernation").getOutcome().isHibernated());
  CHECK(fs::exists(memory));
  host.deleteWorkspace("other");
  CHECK_FALSE(fs::exists(memory));
}

TEST_CASE(
    "P28 a hibernated workspace expires with its memory, and is made anew with an empty disk") {
  auto& host = sharedWorkspace().host;
  TestWorkspace other(host, {.name = "other"});
  const auto boot = other.shell("echo old > ~/file; cat /proc/sys/kernel/random/boot_id");
  CommandLine bothy(host);
  REQUIRE(bothy.run({"hibernate"_kj, "other"_kj}).status == 0);
  auto done = bothy.run({"expire"_kj, "other"_kj});
  INFO(done.err.cStr());
  CHECK(done.status == 0);
  CHECK(host.stateOf("other") == State::EXPIRED);
  for (auto suffix : {".memory", ".qcow2"}) CHECK_FALSE(fs::exists(fileOf(host, other, suffix)));
  other.startAgain();
  CHECK(other.shell("ls ~; cat /proc/sys/kernel/random/boot_id") != boot);
  CHECK(other.shell("test -e ~/file || echo empty") == "empty");
  host.deleteWorkspace("other");
}

TEST_CASE(
    "P41 programs that were frozen go on by themselves, or are let go on, when bothyd is killed in "
    "between") {
  auto& [host, workspace] = sharedWorkspace();
  for (int moment = 0; moment < 4; moment++) {
    auto request = host.supervisor().hibernateRequest();
    request.setName("test");
    auto asked = request.send();
    host.timer.afterDelay((50 + 400 * moment) * kj::MILLISECONDS).wait(host.scope);
    host.restart(SIGKILL);
    // What was accepted goes on.
    const auto deadline = host.now() + SupervisedHost::LIMIT;
    auto state = host.stateOf("test");
    while (state != State::HIBERNATED && state != State::RUNNING) {
      KJ_REQUIRE(host.now() < deadline, "it stays on its way");
      host.timer.afterDelay(100 * kj::MILLISECONDS).wait(host.scope);
      state = host.stateOf("test");
    }
    if (state == State::HIBERNATED) resume(host);
    workspace.reconnect();
    CHECK(workspace.shell("echo fine") == "fine");
  }
}

}  // namespace
}  // namespace bothy
