#pragma once

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <kj/function.h>
#include <stdlib.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "schema/limits.capnp.h"
#include "support/fake-agent.h"
#include "support/fake-key-keeper.h"
#include "support/fake-vm-driver.h"
#include "support/fake-volume-store.h"
#include "wire/rpc-connection.h"
#include "workspace/test-setup.h"
#include "workspace/test-store.h"
#include "workspace/workspace-manager.h"

namespace bothy {

// A world for tests: machines in memory, virtual time, a real store in a directory of its own, agents
// that answer over real connections.
struct TestWorld {
  struct Files final: public WorkspaceFiles {
    kj::String console;
    bool isConsoleUnreadable = false;
    bool consoleHangs = false;
    Paths paths(kj::StringPtr id) override {
      return {kj::str("/run/", id), kj::str("/console/", id)};
    }
    kj::Promise<void> prepare(kj::StringPtr) override { return outcome(); }
    kj::Promise<kj::String> consoleEnd(kj::StringPtr) override {
      KJ_REQUIRE(!isConsoleUnreadable, "the console's file does not obey");
      if (consoleHangs) return kj::NEVER_DONE;
      return kj::str(console);
    }
    kj::Promise<void> remove(kj::StringPtr) override { return outcome(); }
    kj::Promise<kj::Array<kj::String>> removeStrays(IsKnown) override {
      return kj::Array<kj::String>();
    }
    bool hangs = false;

  private:
    kj::Promise<void> outcome() {
      if (hangs) return kj::NEVER_DONE;
      return kj::READY_NOW;
    }
  };

  struct Images final: public ImageCatalog {
    bool isInstalled = true;
    kj::Maybe<Image> find(kj::StringPtr name) override {
      if (name != "base" || !isInstalled) return nullptr;
      return Image{kj::str("/k"), kj::str("/i"), kj::str("/r")};
    }
  };

  // Predictable, and never the same twice.
  struct CountingRandomness final: public Randomness {
    uint32_t state = 1;
    void fill(kj::ArrayPtr<kj::byte> bytes) override {
      for (auto& byte : bytes) byte = (state = state * 1664525 + 1013904223) >> 24;
    }
  };

  // Stands still unless a test sets it.
  struct GivenClock final: public kj::Clock {
    kj::Date time = kj::UNIX_EPOCH + 1000 * kj::DAYS;
    kj::Date now() const override { return time; }
  };

  class TestControl final: public rpc::AgentControl::Server {
  public:
    TestControl(TestWorld& world, kj::StringPtr vmName) : world(world), vmName(kj::str(vmName)) {}

  private:
    TestWorld& world;
    kj::String vmName;

    kj::Promise<void> ping(PingContext) override { return kj::READY_NOW; }
    kj::Promise<void> report(ReportContext context) override {
      context.getResults().initReport().setAgentVersion(world.agentVersion);
      return kj::READY_NOW;
    }
    kj::Promise<void> powerOff(PowerOffContext context) override {
      world.powerOffGrace = context.getParams().getGraceMillis();
      if (world.powersOff) world.driver.end(vmName, VmEnd::POWERED_OFF);
      return kj::READY_NOW;
    }
    // Two that are old, this one, and one that is younger than any bothyd.
    kj::Promise<void> lanes(LanesContext context) override {
      if (!world.answersLanes) return kj::NEVER_DONE;
      auto list = context.getResults().initLanes(4);
      for (auto i : kj::indices(list)) list[i].setPurpose(rpc::Purpose::INTERACTIVE);
      list[0].setAgeMillis(uint64_t{3'600'000});
      list[1].setAgeMillis(uint64_t{3'600'001});
      list[2].setAgeMillis(uint64_t{3'600'002});
      list[2].setPurpose(rpc::Purpose::CONTROL);
      return kj::READY_NOW;
    }
    kj::Promise<void> wake(WakeContext context) override {
      KJ_IF_MAYBE (behind, world.clockBehind) {
        world.wakes.add(context.getParams().getRealtimeNanos());
        context.getResults().setBehindNanos(*behind / kj::NANOSECONDS);
        context.getResults().setThawed(world.isFrozen);
        world.isFrozen = false;
        world.seeds.add(kj::heapArray<kj::byte>(context.getParams().getSeed()));
        return kj::READY_NOW;
      }
      return rpc::AgentControl::Server::wake(context);
    }
    kj::Promise<void> configure(ConfigureContext context) override {
      world.setup.configure(context.getParams().getConfiguration());
      return kj::READY_NOW;
    }
    kj::Promise<void> setup(SetupContext context) override {
      return world.setup.tell(context.getParams().getAfter(), context);
    }
    kj::Promise<void> retrySetup(RetrySetupContext) override {
      world.setup.retries++;
      return kj::READY_NOW;
    }
    kj::Promise<void> freeze(FreezeContext context) override {
      KJ_REQUIRE(world.freezes, "programs do not stand still");
      CHECK_FALSE(world.driver.isPaused(vmName));
      world.isFrozen = true;
      context.getResults().setDiskFrozen(true);
      return kj::READY_NOW;
    }
    kj::Promise<void> endLanes(EndLanesContext context) override {
      auto which = context.getParams().getWhich();
      if (which.isSession()) {
        world.endedSessions.add(kj::str(which.getSession()));
      } else {
        world.endedLanes.add(which.getLane());
      }
      if (world.answersEndLanes) return kj::READY_NOW;
      auto paf = kj::newPromiseAndFulfiller<void>();
      world.unansweredEnds.add(kj::mv(paf.fulfiller));
      return kj::mv(paf.promise);
    }
  };

  char directory[32] = "/tmp/bothy-world-XXXXXX";
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::WaitScope& scope = io.waitScope;
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  bool agentAnswers = true;
  bool powersOff = true;
  // Of the last order to power off, in ms.
  uint32_t powerOffGrace = 0;
  bool answersEndLanes = true;
  bool answersLanes = true;
  TestSetup setup;
  // By how much the guest's clock is found behind; none: its agent is too old to set it.
  kj::Maybe<kj::Duration> clockBehind = 181'200 * kj::MILLISECONDS;
  kj::Vector<int64_t> wakes;
  kj::Vector<kj::Array<kj::byte>> seeds;
  // Whether its programs can be stopped, and are.
  bool freezes = true;
  bool isFrozen = false;
  // The devices of machines keep their ends of lanes open, whoever closes the others.
  bool keepsLanes = false;
  kj::Vector<kj::AutoCloseFd> keptLanes;
  // Dials are answered when they are let go.
  bool holdsDials = false;
  kj::Vector<kj::Own<kj::PromiseFulfiller<void>>> heldDials;
  // Is told bothyd's end of each connection, and the agent at the other.
  kj::Maybe<kj::Function<void(kj::AsyncIoStream&, FakeAgent&)>> onDial;
  uint32_t generation = rpc::GENERATION;
  kj::String agentVersion = kj::str("1.2.3");

  // An agent for each dial, of this machine.
  kj::Vector<kj::Own<FakeAgent>> served;
  kj::Vector<uint64_t> endedLanes;
  kj::Vector<kj::String> endedSessions;
  kj::Vector<kj::Own<kj::PromiseFulfiller<void>>> unansweredEnds;
  FakeVmDriver driver;
  FakeKeyKeeper keys;
  FakeVolumeStore volumes;
  Files files;
  Images images;
  CountingRandomness randomness;
  GivenClock clock;
  kj::Own<TestDatabase> store;
  // The same as bothyd has it.
  TestStore refusing{store};
  kj::Own<EventLog> events;
  // Of the next bothyd.
  WorkspaceManager::Limits limits;
  kj::Own<WorkspaceManager> manager;

  TestWorld() : driver([this](kj::StringPtr vmName, uint32_t) { return dial(vmName); }) {
    KJ_ASSERT(mkdtemp(directory) != nullptr);
    restart();
  }
  ~TestWorld() noexcept(false) {
    manager = nullptr;
    events = nullptr;
    store = nullptr;
    served.clear();
    kj::newDiskFilesystem()->getRoot().remove(kj::Path::parse(kj::StringPtr(directory).slice(1)));
  }

  kj::Promise<kj::Own<kj::AsyncIoStream>> dial(kj::StringPtr vmName) {
    if (!agentAnswers) return KJ_EXCEPTION(DISCONNECTED, "nothing listens");
    if (!holdsDials) return answerDial(vmName);
    auto paf = kj::newPromiseAndFulfiller<void>();
    heldDials.add(kj::mv(paf.fulfiller));
    return paf.promise.then([this, name = kj::str(vmName)]() { return answerDial(name); });
  }
  void letDialsGo() {
    holdsDials = false;
    for (auto& held : heldDials) held->fulfill();
    heldDials.clear();
  }
  kj::Own<kj::AsyncIoStream> answerDial(kj::StringPtr vmName) {
    auto pipe = io.provider->newTwoWayPipe();
    if (keepsLanes) {
      int fd;
      KJ_SYSCALL(fd = dup(KJ_ASSERT_NONNULL(pipe.ends[1]->getFd())));
      keptLanes.add(kj::AutoCloseFd(fd));
    }
    auto agent = kj::heap<FakeAgent>(
        [this, name = kj::str(vmName)](const LaneGrant&) -> capnp::Capability::Client {
          return rpc::AgentControl::Client(kj::heap<TestControl>(*this, name));
        });
    agent->secret = kj::heapArray<kj::byte>(driver.spec(vmName).secret);
    agent->generation = generation;
    KJ_IF_MAYBE (listener, onDial) (*listener)(*pipe.ends[0], *agent);
    agent->accept(kj::mv(pipe.ends[1]));
    served.add(kj::mv(agent));
    return kj::mv(pipe.ends[0]);
  }

  // A new supervisor over the same host.
  void restart() { beginAgain().wait(scope); }
  // Resolves when it has recovered.
  kj::Promise<void> beginAgain() {
    manager = nullptr;
    events = nullptr;
    store = nullptr;
    store = kj::heap<TestDatabase>(kj::str(directory, "/state.db"));
    events = kj::heap<EventLog>(refusing);
    manager = kj::heap<WorkspaceManager>(world(), limits);
    return manager->recover();
  }
  // As a manager sees it.
  World world() {
    return {refusing, *events, keys, volumes, driver, images, files, randomness, timer, clock, {}};
  }

  WorkspaceManager::CreateRequest request(kj::StringPtr name, bool start = true,
                                          kj::StringPtr requestId = nullptr) {
    WorkspaceManager::CreateRequest result;
    result.spec.name = kj::str(name);
    result.start = start;
    result.requestId = kj::str(requestId);
    return result;
  }

  kj::Own<Workspace> find(kj::StringPtr name) {
    return KJ_ASSERT_NONNULL(manager->find(name), "no such workspace", name);
  }

  // The lease of its machine.
  MachineRow lease(kj::StringPtr name) {
    auto found = find(name);
    return KJ_ASSERT_NONNULL(found->machineRow(), "it has no lease", name).clone();
  }
  // How many workspaces have one, as the store has it.
  size_t storedLeases() {
    size_t count = 0;
    auto state = store->state();
    for (auto& machine : state.machines) count += machine.workspaceId.size() > 0;
    return count;
  }

  // The state of the only workspace, as the store has it.
  WorkspaceState stored() {
    auto state = store->state();
    KJ_REQUIRE(state.workspaces.size() == 1);
    kj::Maybe<OperationRow> operation;
    if (state.operations.size() > 0) operation = kj::mv(state.operations[0]);
    return stateOf(state.workspaces[0], operation);
  }
  // As a bothyd leaves it that is killed within an operation: to be called before restart().
  void leave(kj::StringPtr name, OperationKind kind, kj::StringPtr step,
             kj::StringPtr parameters = nullptr) {
    auto id = kj::str(find(name)->row().id);
    store->commit(
        kj::mv(Change().add(OperationRow{kj::str("operation"), kj::mv(id), kj::str(nameOf(kind)),
                                         kj::str(step), kj::str(parameters), kj::str()})));
  }

  void advance(kj::Duration duration) { timer.advanceTo(timer.now() + duration); }
  // Until nothing moves without time.
  void settle() { scope.poll(); }
};

// Each event of the only workspace begins where the one before it ended, and what is stored is where the last one did.
inline void requireChain(TestWorld& w) {
  auto events = w.store->events(0, 100);
  for (size_t i = 1; i < events.size(); i++) CHECK(events[i].before == events[i - 1].after);
  if (!events.back().gone) CHECK(events.back().after == w.stored());
}

}  // namespace bothy
