// What a real machine takes is what is metered of it.

#include <signal.h>
#include <string.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "support/host-program.h"
#include "support/test-workspace.h"

namespace bothy {
namespace {

struct Metered {
  int64_t runningMillis = 0;
  int64_t pausedMillis = 0;
  int64_t cpuMicros = 0;
  int64_t memoryMibMillis = 0;
  int64_t diskMibMillis = 0;
  uint64_t records = 0;

  void add(rpc::UsageRecord::Reader record) {
    auto usage = record.getUsage();
    runningMillis += usage.getRunningMillis();
    pausedMillis += usage.getPausedMillis();
    cpuMicros += usage.getCpuMicros();
    memoryMibMillis += usage.getMemoryMibMillis();
    diskMibMillis += usage.getDiskMibMillis();
    if (record.getNumber() > 0) ++records;
  }
};

Metered meteredOf(SupervisedHost& host, kj::StringPtr name) {
  auto metering = host.supervisor().meteringRequest().send().getMetering();
  Metered metered;
  auto ask = metering.openRequest();
  ask.setWorkspace(name);
  auto open = host.wait(ask.send().dropPipeline(), "what is open");
  for (auto record : open.getRecords()) metered.add(record);
  auto page = metering.recordsRequest();
  page.initChoice().setWorkspace(name);
  auto closed = host.wait(page.send().dropPipeline(), "what is closed");
  for (auto record : closed.getRecords()) {
    if (record.getNumber() <= open.getThrough()) metered.add(record);
  }
  return metered;
}

template <typename Request>
void ask(SupervisedHost& host, Request request, kj::StringPtr name, kj::StringPtr what) {
  request.setName(name);
  host.wait(request.send().dropPipeline(), what);
}

int64_t cpuMicrosOf(pid_t qemu) {
  auto script = kj::str("awk '{print $14 + $15}' /proc/", qemu, "/stat");
  return hostOutput({"/bin/sh"_kj, "-c"_kj, kj::str("printf %d $(", script, ")")})
             .parseAs<int64_t>() *
         10'000;
}

TEST_CASE("P27 P44 a machine is metered as what its QEMU takes, also over pauses and kills") {
  SupervisedHost host;
  TestWorkspace workspace(host, {.cpus = 1, .memoryMib = 256});
  const auto qemu = workspace.qemu();
  workspace.shell("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done");
  ask(host, host.supervisor().pauseRequest(), workspace.name, "the pause");

  // It stands still, so both counters do.
  const auto paused = meteredOf(host, workspace.name);
  const auto counted = cpuMicrosOf(qemu);
  INFO(paused.cpuMicros << " us are metered, and the kernel counts " << counted);
  CHECK(counted > 500'000);
  const auto off = paused.cpuMicros - counted;
  CHECK((off < counted / 30 + 50'000 && off > -counted / 30 - 50'000));
  CHECK(paused.runningMillis > 0);

  // Paused time is that, over a kill too, and running time and the processor's stand still.
  constexpr int64_t LONG_MILLIS = 3000;
  host.timer.afterDelay(LONG_MILLIS * kj::MILLISECONDS).wait(host.scope);
  host.restart(SIGKILL);
  const auto later = meteredOf(host, workspace.name);
  CHECK(later.runningMillis == paused.runningMillis);
  CHECK(later.pausedMillis >= paused.pausedMillis + LONG_MILLIS);
  CHECK(later.cpuMicros - paused.cpuMicros < 50'000);
  CHECK(later.memoryMibMillis == (later.runningMillis + later.pausedMillis) * 256);

  // It goes on running while no bothyd does, and that is metered too.
  ask(host, host.supervisor().resumeRequest(), workspace.name, "the resume");
  const auto resumed = meteredOf(host, workspace.name);
  host.restart(SIGKILL);
  workspace.reconnect();
  workspace.shell("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done");
  const auto gone = meteredOf(host, workspace.name);
  CHECK(gone.runningMillis > resumed.runningMillis);
  CHECK(gone.cpuMicros > resumed.cpuMicros);
  CHECK(gone.pausedMillis == resumed.pausedMillis);
  const auto all = cpuMicrosOf(qemu);
  CHECK(gone.cpuMicros < all + all / 30 + 50'000);

  // What is metered of it outlives it.
  host.stopWorkspace(workspace.name);
  const auto stopped = meteredOf(host, workspace.name);
  ask(host, host.supervisor().deleteRequest(), workspace.name, "the deletion");
  const auto last = meteredOf(host, workspace.name);
  CHECK(last.records >= 1);
  CHECK((last.runningMillis == stopped.runningMillis && last.cpuMicros == stopped.cpuMicros));
  auto shown = runProgram({BOTHY_PROGRAM ""_kj, "--socket"_kj, host.socket(), "usage"_kj});
  INFO(shown.out.cStr());
  CHECK(shown.status == 0);
  CHECK(strstr(shown.out.cStr(), workspace.name.cStr()) != nullptr);
  CHECK(strstr(shown.out.cStr(), "RUNNING") != nullptr);
}

TEST_CASE("what a machine takes right before its end is metered too") {
  SupervisedHost host;
  TestWorkspace workspace(host, {.cpus = 1, .memoryMib = 256});
  const auto qemu = workspace.qemu();
  workspace.shell("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done");
  const auto counted = cpuMicrosOf(qemu);
  host.stopWorkspace(workspace.name);
  const auto stopped = meteredOf(host, workspace.name);
  INFO(stopped.cpuMicros << " us are metered, and the kernel counted " << counted << " before it");
  CHECK(counted > 500'000);
  CHECK(stopped.cpuMicros >= counted);
}

}  // namespace
}  // namespace bothy
