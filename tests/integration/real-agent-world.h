#pragma once

#include <kj/async-io.h>

#include "lane/lane-grant.h"
#include "support/agent-process.h"
#include "support/fake-supervisor.h"
#include "support/host-program.h"

namespace bothy {

// bothyd without a machine, and a real agent, to which its lanes lead: what breaks and when, `supervisor` says.
class RealAgentWorld final: private kj::TaskSet::ErrorHandler {
public:
  RealAgentWorld();
  ~RealAgentWorld() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(RealAgentWorld);

  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::String directory;
  FakeSupervisor supervisor{io};

  // A shell of this host, with `bothy` as its $bothy and this world's directory as its current one.
  FinishedProgram shell(kj::StringPtr script);

private:
  AgentProcess agent{io};
  kj::TaskSet lanes{*this};
  uint64_t lastLane = 0;
  kj::Own<kj::ConnectionReceiver> receiver;
  kj::Promise<void> accepting = nullptr;

  kj::Promise<void> accept();
  LaneGrant grantFor(rpc::LaneRequest::Reader wanted);
  // Carries what goes over a lane, until one of its ends ends.
  kj::Promise<void> carry(kj::Own<kj::AsyncIoStream> client, LaneGrant grant);
  void taskFailed(kj::Exception&& exception) override {}
};

// Of the user who runs the test.
kj::String userName();

// The number of messages to break after next: the more of them, the rarer.
kj::uint following(kj::uint messages);

}  // namespace bothy
