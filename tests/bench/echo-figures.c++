#include "bench/echo-figures.h"

#include <kj/debug.h>

#include "bench/file-workers.h"
#include "bench/host-program-beside.h"
#include "bench/process-usage.h"
#include "support/command-line.h"

namespace bothy {
namespace {

constexpr uint CALLS = 300;
// Of what is held against its 99th percentile.
constexpr uint CALLS_BESIDE = 1000;
constexpr double GOAL_BESIDE = 2.0;
constexpr uint64_t COPIED_BYTES = 128 * 1024 * 1024;
// Until what runs beside is at its speed.
constexpr kj::Duration WARM_UP = 500 * kj::MILLISECONDS;

// A terminal that does nothing but echo.
class Echo final {
public:
  explicit Echo(TestWorkspace& workspace) : terminal(workspace, {.argv = ARGV}) {
    terminal.waitForText("go");
  }
  void once() {
    const uint64_t before = terminal.record.received;
    terminal.type("x");
    terminal.waitUntil([&]() { return terminal.record.received > before; }, "the echo");
  }

private:
  static constexpr kj::StringPtr ARGV[] = {"/bin/sh"_kj, "-c"_kj,
                                           "stty raw -echo; echo go; exec cat"_kj};
  TestTerminal terminal;
};

void measureAlone(kj::Vector<Row>& rows, TestWorkspace& workspace, GuestPeer& peer) {
  auto& row = addRow(rows, "terminal echo of one byte", "ms", 1.9);
  auto floor = peer.dial('e');
  Echo echo(workspace);
  for (uint i = 0; i < CALLS; ++i) {
    row.floor.add(milliseconds([&]() {
      char byte = 'x';
      floor->write(&byte, 1).wait(workspace.host.scope);
      workspace.host.wait(floor->read(&byte, 1), "the peer's answer");
    }));
    row.samples.add(milliseconds([&]() { echo.once(); }));
  }
  auto& call = addRow(rows, "call (stat of /)", "ms");
  call.floor.addAll(row.floor);
  auto files = workspace.files();
  for (uint i = 0; i < CALLS; ++i) {
    call.samples.add(milliseconds([&]() {
      auto request = files.statRequest();
      request.setPath("/"_kj.asBytes());
      workspace.host.wait(request.send().dropPipeline().ignoreResult(), "the call");
    }));
  }
}

// CPU time of the file workers so far, in milliseconds.
double workersMillis(TestWorkspace& workspace) {
  constexpr double TICK_MILLIS = 10;
  return sumOfFileWorkers(workspace, "stat", "{ t += $14 + $15 }") * TICK_MILLIS;
}

// Python that takes so much of one processor, and is of no concern.
constexpr kj::StringPtr BURN =
    "import sys, time\n"
    "share, began = float(sys.argv[1]), time.monotonic()\n"
    "while True:\n"
    "  if time.process_time() > share * (time.monotonic() - began): time.sleep(0.001)\n"_kj;
constexpr kj::StringPtr PYTHON = "/usr/bin/python3"_kj;

// While a file is copied out of the workspace over and over; the floor is the same while as much CPU is burnt, in the guest and on the host.
void measureBesideCopy(kj::Vector<Row>& rows, TestWorkspace& workspace) {
  auto& row = addRow(rows, "echo beside a copy, over beside CPU", "ms", GOAL_BESIDE);
  row.goalOf = 0.99;
  auto& host = workspace.host;
  workspace.shell(kj::str("head -c ", COPIED_BYTES, " /dev/zero > /dev/shm/beside"));
  Echo echo(workspace);
  auto measure = [&](kj::Vector<double>& into) {
    host.timer.afterDelay(WARM_UP).wait(host.scope);
    for (uint i = 0; i < CALLS_BESIDE; ++i) into.add(milliseconds([&]() { echo.once(); }));
  };
  double inGuest, onHost;
  {
    auto script = kj::str("while ", CommandLine::program(), " --socket ", host.socket(), " cp ",
                          workspace.name, ":/dev/shm/beside - > /dev/null; do :; done");
    const kj::StringPtr argv[] = {"/bin/sh"_kj, "-c"_kj, script};
    const auto device = workspace.findVsockDevice();
    auto deviceMillis = [&]() {
      KJ_IF_MAYBE (pid, device) return ProcessUsage::of(*pid).cpuMillis;
      return 0.0;
    };
    HostProgramBeside copies(argv);
    const auto workers = workersMillis(workspace);
    const auto deviceBefore = deviceMillis();
    const auto took = milliseconds([&]() { measure(row.samples); });
    onHost = (deviceMillis() - deviceBefore) / took;
    inGuest = (workersMillis(workspace) - workers) / took;
    onHost += copies.end();
    KJ_REQUIRE(inGuest > 0, "nothing was copied");
  }
  workspace.shell("rm /dev/shm/beside");
  auto shareInGuest = kj::str(kj::min(inGuest, 1.0));
  // Of two, since what copies is two.
  auto shareOnHost = kj::str(kj::min(onHost / 2, 1.0));
  const kj::StringPtr guestArgv[] = {PYTHON, "-c"_kj, BURN, shareInGuest};
  const kj::StringPtr hostArgv[] = {PYTHON, "-c"_kj, BURN, shareOnHost};
  auto burning = workspace.start(guestArgv).ignoreResult().eagerlyEvaluate(nullptr);
  HostProgramBeside first(hostArgv), second(hostArgv);
  measure(row.floor);
}

}  // namespace

void measureEchoes(kj::Vector<Row>& rows, TestWorkspace& workspace, GuestPeer& peer) {
  measureAlone(rows, workspace, peer);
  measureBesideCopy(rows, workspace);
}

}  // namespace bothy
