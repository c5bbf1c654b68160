#pragma once

#include <kj/async-io.h>
#include <kj/function.h>
#include <kj/vector.h>

#include "schema/limits.capnp.h"
#include "schema/supervisor.capnp.h"
#include "support/fake-activity.h"
#include "support/fake-agent.h"
#include "support/fake-files.h"
#include "support/fake-metering.h"
#include "support/fake-program.h"
#include "support/fake-sessions.h"
#include "support/fake-setup.h"
#include "support/fake-supervisor-connection.h"
#include "support/fake-terminal.h"
#include "support/fake-users.h"
#include "wire/waiters.h"

namespace bothy {

// A supervisor for tests of its clients, in this process, with one running workspace, "demo", and one that
// is stopped, "idle".  Served over socket pairs, and so are the lanes to "demo"; what its terminals and programs do, the test
// says.
class FakeSupervisor final {
public:
  // `io` outlives it.
  explicit FakeSupervisor(kj::AsyncIoContext& io);
  ~FakeSupervisor() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(FakeSupervisor);

  // The client's end of a new connection.
  kj::Own<kj::AsyncCapabilityStream> connect();
  // Serves the other end of one.
  void serve(kj::Own<kj::AsyncCapabilityStream> stream);
  // A lane to "demo" that did not come over a connection: the client's end.
  kj::Own<kj::AsyncIoStream> openLane(rpc::LaneRequest::Reader wanted);
  // The capability of such a lane, without a descriptor.
  rpc::Lane::Client newLife();

  // Ends the connections to the supervisor, as one that is killed does: lanes go on.
  void breakSupervisor();
  // Ends the lanes, as a vsock device that fails does.
  void breakLanes();
  // What whenEnded() of a lane answers; none: nothing comes.
  kj::Maybe<rpc::LaneEnd> laneEnd;
  kj::uint reasonsAsked = 0;
  kj::uint livesHeld = 0;  // Lane capabilities
  // Ends both.
  void breakConnections();
  // After how many messages the next lanes break, the first one's first.  The Welcome is one.
  kj::Vector<kj::uint> cuts;
  // After how many messages the supervisor is killed, as the next connections to it count them.
  kj::Vector<kj::uint> supervisorCuts;
  // While set, connect() throws.
  bool down = false;
  // Set: whoever connects is turned away, and told this.
  kj::Maybe<kj::StringPtr> turnsAway;
  kj::uint connections = 0;
  kj::uint lanes = 0;
  kj::uint kills = 0;  // of the supervisor: what it gave before, it does not know
  kj::uint lists = 0;  // how often the workspaces were asked for
  // Of workspaces on a page of them.
  kj::uint page = 1000;

  // What is in "demo".
  FakeTerminal terminal;
  FakeProgram program;
  FakeFiles files;
  // Rights to it; each connection is one of the socket of sessions too.
  FakeSessions sessions;
  // What they have taken.
  FakeMetering metering;
  FakeUsers users;
  // What keeps "demo" awake.
  FakeActivity activity;
  FakeSetup setup;
  // The label of the last list that was asked for.
  kj::String wantedLabels;

  // Set: what serves a lane to "demo" in place of these.
  using ServeLane = kj::Function<void(kj::Own<kj::AsyncIoStream>, rpc::LaneRequest::Reader)>;
  kj::Maybe<ServeLane> serveLane;
  // While set, the agent refuses lanes.
  kj::Maybe<rpc::Refusal> refusal;
  // So many of the next lanes come without a descriptor.
  kj::uint lostDescriptors = 0;

  // What `watch` calls the newest event.
  uint64_t lastEvent = 0;
  // Tells whoever watches the next so many events; the first has the number 1.
  void tellEvents(kj::uint count);

  // Why "demo" stands still; empty: it does not.
  kj::String stalled;

  // When "demo" was started last.
  int64_t startedNanos = 1;
  uint32_t commands = 0;  // that run in "demo", as `list` tells it
  kj::uint starts = 0;    // how often one was asked for
  kj::uint wakes = 0;     // how often `connect` was to wake it while it was paused
  // As bothyd tells those who wait; `state` is the test's to set before.
  bool isPaused() const {
    const auto now = state.orDefault(rpc::WorkspaceState::RUNNING);
    return now == rpc::WorkspaceState::PAUSED || now == rpc::WorkspaceState::HIBERNATED;
  }
  void tellResumed() { resumeWaiters.wakeAll(); }
  kj::uint waitingForResume() const { return resumeWaiters.count(); }
  // Set: why the next `pause` or `resume` fails.
  kj::Maybe<kj::String> haltFailure;
  // The last stop was by force.
  bool isForced = false;
  // Set: "demo" is in this state, and nobody is connected to it.  A start ends that.
  kj::Maybe<rpc::WorkspaceState> state;
  // Whether its agent does not answer.
  bool unreachable = false;
  // What its agent speaks.
  uint16_t agentGeneration = rpc::GENERATION;
  // Set: its agent is of this generation, which cannot give a lane.
  kj::Maybe<uint16_t> agentTooOld;

  // Whether `doctor` finds, beside a good one and a weak one, what is to be refused.
  bool refusesHost = false;

  // What the next `create` or `start` answers; null: it goes well.
  kj::Maybe<kj::String> startFailure;
  // Whether its host has nothing left.
  bool isFull = false;
  // So many machines start before one that is created.
  kj::Maybe<kj::uint> startsBefore;

private:
  Waiters resumeWaiters;
  class Server;
  class AgentServer;
  class SystemServer;
  class LaneServer;
  // A lane's descriptor for its client.
  struct Lent: public kj::Refcounted {
    explicit Lent(kj::AutoCloseFd fd) : fd(kj::mv(fd)) {}
    const kj::AutoCloseFd fd;
  };

  kj::AsyncIoContext& io;
  // The messages that one of the lanes may still carry.
  kj::Vector<kj::Own<kj::uint>> budgets;
  FakeAgent agent;
  kj::Vector<kj::Promise<void>> refusals;
  void turnAway(kj::Own<kj::AsyncIoStream> stream, kj::StringPtr why);
  // Which descriptor a capability has is noted when it is sent and used when that is written: until the connections end
  // they stay open.
  kj::Vector<kj::Own<Lent>> lent;
  kj::Vector<kj::Own<FakeSupervisorConnection>> links;
  kj::Maybe<rpc::EventSink::Client> watcher;
  uint64_t events = 0;  // told
  kj::Promise<void> telling = kj::READY_NOW;

  // Of lanes.  fake-supervisor-lanes.c++
  rpc::Lane::Client newLane(rpc::LaneRequest::Reader wanted);
  // Serves the other end of a lane.
  void serveEnd(kj::Own<kj::AsyncIoStream> stream, rpc::LaneRequest::Reader wanted);
  void forgetLanes();
};

}  // namespace bothy
