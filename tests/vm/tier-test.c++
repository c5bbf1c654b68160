// What a machine has by its tier, and no more of, whatever root in it tries.

#include <kj/debug.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <catch2/catch_test_macros.hpp>

#include "support/host-program.h"
#include "support/test-workspace.h"

namespace bothy {
namespace {

constexpr kj::StringPtr SETTINGS =
    "tier-small = cpus=1 memory=256 disk=256 sessions=1\n"
    "tier-large = cpus=2 memory=512 disk=512 sessions=1\n"
    "tier-slow = cpus=1 memory=256 disk=256 sessions=1 read=2 write=2\n"_kj;

void setTier(TestWorkspace& workspace, kj::StringPtr tier) {
  auto answer = runProgram({BOTHY_PROGRAM ""_kj, "--socket"_kj, workspace.host.socket(), "tier"_kj,
                            "set"_kj, workspace.name, tier});
  INFO(answer.err.cStr());
  REQUIRE(answer.status == 0);
  // What concerns the disk's speed counts at once.
  const bool isAboutIo = strstr(answer.out.cStr(), "a second") != nullptr;
  CHECK((!isAboutIo || strstr(answer.out.cStr(), "at once") != nullptr));
}

uint64_t numberOf(kj::StringPtr script) {
  return hostOutput({"/bin/sh"_kj, "-c"_kj, kj::str("printf %d $(", script, ")")})
      .parseAs<uint64_t>();
}

TEST_CASE("P53 P44 root in a machine gets no more processors, memory or disk than its tier has") {
  SupervisedHost host({.settings = SETTINGS});
  TestWorkspace workspace(host, {.tier = "small"});
  const auto qemu = workspace.qemu();

  // Memory: the guest's kernel ends who takes more, and the host gives no more than the machine has.
  auto eater = workspace.run({"/bin/sh"_kj, "-c"_kj, "head -c 600M /dev/zero | tail"_kj}, "root");
  CHECK(eater.status != "exited 0");
  CHECK(workspace.shell("echo lives") == "lives");
  // The guest's memory is a file that QEMU has mapped; what is around it is QEMU itself.
  CHECK(numberOf(kj::str("awk '/RssShmem/ {print $2}' /proc/", qemu, "/status")) <= 257 * 1024);

  // Disk.
  auto filler = workspace.run(
      {"/bin/sh"_kj, "-c"_kj, "dd if=/dev/urandom of=/home/user/much bs=1M count=600; sync"_kj},
      "root");
  INFO(filler.err.cStr());
  CHECK(kj::StringPtr(filler.err).findFirst('N') != nullptr);
  CHECK(workspace.shell(
            "dd if=/dev/urandom of=/home/user/more bs=1M count=8 2>&1 | grep -c 'No space left'",
            "root") == "1");
  struct stat stats;
  auto volume = kj::str(host.directory(), "/state/volumes/", workspace.info().getId(), ".qcow2");
  KJ_SYSCALL(stat(volume.cStr(), &stats), volume);
  CHECK(stats.st_blocks * 512 < 270 << 20);
  CHECK(workspace.info().getStalled() == "");

  // Processors: four that are busy take one of the host's.
  CHECK(workspace.shell("nproc") == "1");
  CHECK(workspace.shell("cd /sys/devices/system/cpu; echo 1 > cpu1/online 2>/dev/null || echo none",
                        "root") == "none");
  workspace.shell(
      "for i in 1 2 3 4; do (while :; do :; done) >/dev/null 2>&1 & done; echo $! >/dev/null",
      "root");
  auto ticks = [&]() { return numberOf(kj::str("awk '{print $14 + $15}' /proc/", qemu, "/stat")); };
  const auto before = ticks();
  const auto begun = host.now();
  host.timer.afterDelay(3 * kj::SECONDS).wait(host.scope);
  const auto millis = (host.now() - begun) / kj::MILLISECONDS;
  const auto used = (ticks() - before) * 10;
  INFO(used << " ms of " << millis);
  CHECK(used < 1.5 * millis);
}

TEST_CASE(
    "P53 a machine whose tier changes keeps its figures, and its next start has the new ones") {
  SupervisedHost host({.settings = SETTINGS});
  TestWorkspace workspace(host, {.tier = "small"});
  workspace.shell("seq 100000 > ~/numbers; sync");
  auto memoryMib = [&]() {
    return workspace.shell("awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo")
        .parseAs<uint64_t>();
  };
  auto diskMib = [&]() {
    return workspace.shell("df -B1M --output=size / | tail -n 1").parseAs<uint64_t>();
  };
  const auto memoryBefore = memoryMib(), diskBefore = diskMib();
  setTier(workspace, "large");
  CHECK(workspace.shell("nproc") == "1");
  CHECK(memoryMib() == memoryBefore);
  auto info = workspace.info();
  CHECK((info.getSpec().getTier() == "large" && info.getSpec().getCpus() == 1));
  CHECK(info.getAtNextStart().getMemoryMib() == 512);
  host.restart(SIGKILL);
  workspace.reconnect();
  CHECK(workspace.info().getSpec().getMemoryMib() == 256);
  CHECK(workspace.shell("nproc") == "1");
  host.stopWorkspace(workspace.name);
  workspace.startAgain();
  CHECK(workspace.shell("nproc") == "2");
  CHECK(memoryMib() > memoryBefore + 200);
  CHECK(diskMib() > diskBefore + 200);
  CHECK(workspace.shell("seq 100000 | cmp - ~/numbers && echo same") == "same");
  CHECK_FALSE(workspace.info().hasAtNextStart());
}

TEST_CASE(
    "P53 a tier limits what a machine writes and reads in a second, from the moment on at which it "
    "has it") {
  SupervisedHost host({.settings = SETTINGS});
  TestWorkspace workspace(host, {.tier = "small"});
  workspace.shell("dd if=/dev/zero of=/home/user/file bs=1M count=24 status=none; sync", "root");
  // Past the caches of the guest.
  auto timeOf = [&](kj::StringPtr script) {
    workspace.shell("sync; echo 3 > /proc/sys/vm/drop_caches", "root");
    const auto begun = host.now();
    workspace.shell(script, "root");
    return (host.now() - begun) / kj::MILLISECONDS;
  };
  auto writing = [&]() {
    return timeOf(
        "dd if=/dev/zero of=/home/user/file bs=1M count=16 conv=notrunc,fsync status=none");
  };
  auto reading = [&]() {
    return timeOf("dd if=/home/user/file of=/dev/null bs=1M count=16 status=none");
  };
  const auto writeMillis = writing(), readMillis = reading();
  setTier(workspace, "slow");
  const auto slowWriteMillis = writing(), slowReadMillis = reading();
  // A bothyd that takes the machine over leaves it so.
  host.restart(SIGKILL);
  workspace.reconnect();
  const auto adoptedMillis = writing();
  setTier(workspace, "small");
  const auto freeMillis = writing();
  INFO("written in " << writeMillis << " ms, limited " << slowWriteMillis << ", taken over "
                     << adoptedMillis << ", free again " << freeMillis << "; read in " << readMillis
                     << ", limited " << slowReadMillis);
  CHECK(slowWriteMillis > 3 * writeMillis);
  CHECK(slowReadMillis > 3 * readMillis);
  CHECK(adoptedMillis > 3 * writeMillis);
  CHECK(freeMillis * 3 < slowWriteMillis);
}

}  // namespace
}  // namespace bothy
