#pragma once

#include <kj/async-io.h>
#include <kj/vector.h>

#include "support/agent-process.h"
#include "support/fake-supervisor.h"
#include "support/host-program.h"

namespace bothy {

// bothyd without a machine, and a real agent: its connections from clients, and to the agent, break after so many
// messages.
class RealAgentWorld {
public:
  RealAgentWorld();
  ~RealAgentWorld() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(RealAgentWorld);

  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::String directory;
  FakeSupervisor supervisor;
  // After how many messages the next connections to the agent break, the first one's first.
  kj::Vector<kj::uint> laneCuts;
  size_t lanesMade() const { return lanes.size(); }

  // A shell of this host, with `bothy` as its $bothy and this world's directory as its current one.
  FinishedProgram shell(kj::StringPtr script);

private:
  AgentProcess agent{io};
  kj::Vector<kj::Own<kj::uint>> budgets;
  kj::Vector<kj::Own<RpcConnection>> lanes;
  kj::Own<kj::ConnectionReceiver> receiver;
  kj::Promise<void> accepting = nullptr;

  kj::Promise<void> accept();
  // Over a new connection.
  rpc::Agent::Client connectAgent();
};

// Of the user who runs the test.
kj::String userName();

// The number of messages to break after next: the more of them, the rarer.
kj::uint following(kj::uint messages);

}  // namespace bothy
