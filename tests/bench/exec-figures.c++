#include "bench/exec-figures.h"

#include <kj/debug.h>

#include "client/kept-program.h"
#include "lane/lane-descriptor.h"

namespace bothy {
namespace {

constexpr uint CALLS = 300;
// Before each measurement, in which the guest does what the one before has left: the kernel frees a control group, the agent makes the next
// program's process.  Without it each of the two would pay for the other.
constexpr kj::Duration REST = 30 * kj::MILLISECONDS;

// Takes what comes.
class NoOutput final: public kj::AsyncOutputStream {
public:
  kj::Promise<void> write(const void*, size_t) override { return kj::READY_NOW; }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>>) override {
    return kj::READY_NOW;
  }
  kj::Promise<void> whenWriteDisconnected() override { return kj::NEVER_DONE; }
};

// One lane, for one program after the other.
class StandingLane final: public LaneSource, public Reconnection::Listener {
public:
  explicit StandingLane(TestWorkspace& workspace) : lane(openLane(workspace)) {}

  WorkspaceLane& standing() { return *lane; }

  kj::Promise<Opened> open() override { return Opened(kj::addRef(*lane)); }
  NoLane refused(rpc::Refusal why) override {
    return {NoLane::Kind::FINAL, KJ_EXCEPTION(FAILED, "the lane was refused", why), nullptr};
  }
  void onAway(kj::Duration) override {}
  void onDelay(const kj::Exception&, kj::Duration) override {}
  void onStall(kj::StringPtr) override {}
  void onLaneEnd(rpc::LaneEnd) override {}
  kj::Exception describe(Reconnection::GaveUp) override {
    return KJ_EXCEPTION(FAILED, "the lane is lost");
  }

private:
  kj::Own<WorkspaceLane> lane;

  static kj::Own<WorkspaceLane> openLane(TestWorkspace& workspace) {
    auto& host = workspace.host;
    auto connected = workspace.connect([](auto wanted) { wanted.setCommands(); });
    auto stream = host.wait(streamOf(connected.getLane(), host.io.unixEventPort), "a lane");
    return kj::refcounted<WorkspaceLane>(kj::mv(stream), host.timer,
                                         connected.getOutcome().getConnected().getStartedNanos());
  }
};

// The call that starts it, and the one that waits for its end.
void callTrue(SupervisedHost& host, WorkspaceLane& lane) {
  auto request = lane.agent().processesRequest().send().getProcesses().execRequest();
  request.initCommand().initArgv(1).set(0, "/bin/true");
  request.setNoStdin(true);
  auto started = request.send();
  auto end = host.wait(started.getProcess().waitRequest().send(), "exec");
  KJ_REQUIRE(end.getStatus().isExited());
}

// As `bothy exec` does: with both outputs, kept over a lost lane, and ordered to be forgotten.
void runTrue(SupervisedHost& host, StandingLane& lane) {
  NoOutput nowhere;
  ProgramOutput output(nowhere), errors(nowhere);
  ProgramFeed input;
  input.finish();
  Reconnection reconnection(lane, host.timer, KeptProgram::KEPT_FOR, lane);
  KeptProgram program(reconnection, host.timer, {output, errors, input});
  auto shown = kj::joinPromises(kj::arr(output.show(), errors.show())).eagerlyEvaluate(nullptr);
  auto end = host.wait(
      program.follow([](rpc::Command::Builder command) { command.initArgv(1).set(0, "/bin/true"); },
                     [](rpc::Processes::ExecOutcome::Reader) {}),
      "exec");
  KJ_REQUIRE(end.is<KeptProgram::Ended>());
  KJ_REQUIRE(end.get<KeptProgram::Ended>().getStatus().isExited());
  output.finish();
  errors.finish();
  host.wait(kj::mv(shown), "the outputs");
  host.wait(program.end(), "the program's end");
}

}  // namespace

void measureExec(kj::Vector<Row>& rows, TestWorkspace& workspace, GuestPeer& peer) {
  auto& called = addRow(rows, "exec /bin/true", "ms", 1.35);
  auto& grouped = addRow(rows, "exec /bin/true, of the one with a control group", "ms", 1.3);
  auto& run = addRow(rows, "exec /bin/true, as bothy does", "ms");
  auto& host = workspace.host;
  StandingLane lane(workspace);
  auto measure = [&](Row& row, char mode, auto&& once) {
    auto floor = peer.dial(mode);
    auto rest = [&]() { host.wait(host.timer.afterDelay(REST), "a rest"); };
    for (uint i = 0; i < CALLS; ++i) {
      rest();
      row.floor.add(milliseconds([&]() {
        char byte = 'x';
        floor->write(&byte, 1).wait(host.scope);
        host.wait(floor->read(&byte, 1), "the peer's answer");
      }));
      rest();
      row.samples.add(milliseconds(once));
    }
  };
  measure(called, 'x', [&]() { callTrue(host, lane.standing()); });
  measure(grouped, 'X', [&]() { callTrue(host, lane.standing()); });
  measure(run, 'x', [&]() { runTrue(host, lane); });
}

}  // namespace bothy
