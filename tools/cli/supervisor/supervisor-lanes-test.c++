#include "supervisor/supervisor-lanes.h"

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "console/failure.h"
#include "support/fake-supervisor.h"

namespace bothy {
namespace {

struct LaneWorld {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  FakeSupervisor supervisor{io};

  class TestConnector final: public Connector {
  public:
    explicit TestConnector(FakeSupervisor& supervisor) : supervisor(supervisor) {}
    kj::Own<SupervisorLink> connect() override {
      if (supervisor.down) kj::throwFatalException(passingFailure("start it"));
      return linkOver(supervisor.connect());
    }
    void useSocket(kj::StringPtr path) override {}

  private:
    FakeSupervisor& supervisor;
  };
  TestConnector connector{supervisor};

  LaneSource::Opened tryOpen(WantedLane wanted) {
    SupervisorLanes lanes(connector, io.unixEventPort, "demo", wanted);
    return lanes.open().wait(io.waitScope);
  }
  kj::Own<WorkspaceLane> open(WantedLane wanted) {
    auto opened = tryOpen(wanted);
    return kj::mv(opened.get<kj::Own<WorkspaceLane>>());
  }
  // Why the agent refuses such a lane.
  NoLane refusalOf(WantedLane wanted) {
    SupervisorLanes lanes(connector, io.unixEventPort, "demo", wanted);
    auto opened = lanes.open().wait(io.waitScope);
    auto why = opened.get<kj::Own<WorkspaceLane>>()->whyRefused().wait(io.waitScope);
    return lanes.refused(KJ_REQUIRE_NONNULL(why));
  }
  bool answers(WorkspaceLane& lane) {
    auto system = lane.agent().systemRequest().send().getSystem();
    return system.reportRequest().send().wait(io.waitScope).getReport().getBootId().size() > 0;
  }
  // What a call fails with that is sent now.
  template <typename Request>
  kj::Exception failureOf(Request request) {
    auto thrown = kj::runCatchingExceptions([&] { request.send().wait(io.waitScope); });
    return kj::mv(KJ_REQUIRE_NONNULL(thrown));
  }
};

TEST_CASE("P41 a lane and what goes on over it outlive the supervisor that opened it") {
  LaneWorld world;
  auto lane = world.open(WantedLane::interactive());
  auto ended = lane->onDisconnect();
  world.supervisor.breakSupervisor();
  CHECK(world.answers(*lane));
  CHECK_FALSE(ended.poll(world.io.waitScope));
  world.supervisor.breakLanes();
  ended.wait(world.io.waitScope);
}

TEST_CASE("a lane ends with the last reference to it, for the agent too") {
  LaneWorld world;
  auto lane = world.open(WantedLane::commands());
  auto request = lane->agent().processesRequest().send().getProcesses().execRequest();
  auto argv = request.initCommand().initArgv(1);
  argv.set(0, "sleep");
  auto started = request.send().wait(world.io.waitScope);
  auto another = kj::addRef(*lane);
  lane = nullptr;
  CHECK(world.answers(*another));
  CHECK_FALSE(world.supervisor.program.dropped);
  another = nullptr;
  while (!world.supervisor.program.dropped) world.io.waitScope.poll();
}

TEST_CASE("a lane has what it was wanted for, and not more") {
  LaneWorld world;
  auto interactive = world.open(WantedLane::interactive());
  interactive->agent().terminalsRequest().send().wait(world.io.waitScope);
  CHECK(world.failureOf(interactive->agent().processesRequest()).getType() ==
        kj::Exception::Type::FAILED);
  auto commands = world.open(WantedLane::commands());
  commands->agent().processesRequest().send().wait(world.io.waitScope);
  CHECK(world.failureOf(commands->agent().terminalsRequest()).getType() ==
        kj::Exception::Type::FAILED);
  auto files = world.open(WantedLane::files("", rpc::FileAccess::READ));
  CHECK(files->files().homeRequest().send().wait(world.io.waitScope).getPath() ==
        "/home/user"_kj.asBytes());
  CHECK(world.supervisor.files.access == rpc::FileAccess::READ);
  CHECK(interactive->whyRefused().wait(world.io.waitScope) == nullptr);
}

TEST_CASE("a lane tells the boot to which it leads") {
  LaneWorld world;
  world.supervisor.startedNanos = 17;
  CHECK(world.open(WantedLane::commands())->startedNanos() == 17);
}

TEST_CASE("a lane that the agent refuses says what to do, and a crowd and what hangs pass") {
  LaneWorld world;
  auto toldFor = [&](rpc::Refusal refusal, WantedLane wanted) {
    world.supervisor.refusal = refusal;
    auto none = world.refusalOf(wanted);
    CHECK(isFailure(none.reason));
    bool passes = none.kind == NoLane::Kind::PASSES;
    CHECK(passes ==
          (refusal == rpc::Refusal::TOO_MANY_LANES || refusal == rpc::Refusal::UNAVAILABLE));
    CHECK((passes || none.kind == NoLane::Kind::FINAL));
    return describe(none.reason).message;
  };
  auto files = WantedLane::files("x y", rpc::FileAccess::READ);
  CHECK(toldFor(rpc::Refusal::TOO_MANY_LANES, WantedLane::commands())
            .startsWith("too many connections to demo are open (at most 32, 16 of one user, the "
                        "last 8 for users who have none): "));
  CHECK(toldFor(rpc::Refusal::NO_SUCH_USER, files) == "there is no user x y in demo");
  CHECK(toldFor(rpc::Refusal::NOT_UNDERSTOOD, files) == "there is no user x y in demo");
  CHECK(toldFor(rpc::Refusal::GENERATION_TOO_OLD, WantedLane::interactive()) ==
        "demo runs an agent that bothyd does not fit any more: `bothy stop demo && bothy start "
        "demo` brings its own");
  CHECK(toldFor(rpc::Refusal::UNAVAILABLE, files).startsWith("files of demo cannot be served now"));
  CHECK(toldFor(rpc::Refusal::WRONG_SECRET, files)
            .startsWith("the agent of demo refuses what bothyd asks for (reason 1): "));
}

TEST_CASE("an answer in which no descriptor came is as good as a lost connection") {
  LaneWorld world;
  world.supervisor.lostDescriptors = 1;
  auto thrown = kj::runCatchingExceptions([&] { world.tryOpen(WantedLane::commands()); });
  CHECK(KJ_REQUIRE_NONNULL(thrown).getType() == kj::Exception::Type::DISCONNECTED);
}

TEST_CASE("P30 why there is no lane is told, and whether that passes") {
  LaneWorld world;
  auto whyNone = [&] {
    auto opened = world.tryOpen(WantedLane::commands());
    return kj::mv(opened.get<NoLane>());
  };
  world.supervisor.stalled = kj::str("the disk is \x1b full");
  auto stalled = whyNone();
  CHECK(stalled.kind == NoLane::Kind::STALLED);
  CHECK(stalled.stall == "the disk is \\x1b full");
  world.supervisor.stalled = nullptr;
  for (auto passing : {rpc::WorkspaceState::CREATING, rpc::WorkspaceState::STARTING,
                       rpc::WorkspaceState::STOPPING}) {
    world.supervisor.state = passing;
    CHECK(whyNone().kind == NoLane::Kind::PASSES);
  }
  world.supervisor.state = rpc::WorkspaceState::STOPPED;
  CHECK(whyNone().kind == NoLane::Kind::FINAL);
  world.supervisor.state = nullptr;
  world.supervisor.unreachable = true;
  CHECK(whyNone().kind == NoLane::Kind::PASSES);
  world.supervisor.unreachable = false;
  world.supervisor.agentTooOld = uint16_t{1};
  auto tooOld = whyNone();
  CHECK(tooOld.kind == NoLane::Kind::FINAL);
  CHECK(describe(tooOld.reason).message ==
        "demo runs an agent that is too old for this (generation 1): `bothy stop demo && bothy "
        "start demo` brings a new one");
}

TEST_CASE("P30 a client that bothyd turns away is told why, and waits") {
  LaneWorld world;
  world.supervisor.turnsAway = "this user has enough"_kj;
  auto opened = world.tryOpen(WantedLane::commands());
  auto& none = opened.get<NoLane>();
  CHECK(none.kind == NoLane::Kind::PASSES);
  CHECK(describe(none.reason).message ==
        "bothyd turns this client away (this user has enough): try again later");
  world.supervisor.turnsAway = nullptr;
  CHECK(world.answers(*world.open(WantedLane::commands())));
}

TEST_CASE("P41 a bothyd that is not there gives no lane, and passes") {
  LaneWorld world;
  world.supervisor.down = true;
  auto opened = world.tryOpen(WantedLane::commands());
  auto& none = opened.get<NoLane>();
  CHECK(none.kind == NoLane::Kind::AWAY);
  CHECK(isFailure(none.reason));
}

}  // namespace
}  // namespace bothy
