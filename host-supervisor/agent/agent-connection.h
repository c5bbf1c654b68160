#pragma once

#include <kj/async-io.h>

#include "agent/guest-message-stream.h"
#include "schema/agent.capnp.h"
#include "wire/rpc-network.h"

namespace bothy {

// One connection to one agent: RPC with the limits of limits.capnp, and no text of an exception from
// within.  Owns the stream; dropping it breaks every capability that came over it.
class AgentConnection final {
public:
  explicit AgentConnection(kj::Own<kj::AsyncIoStream> stream);
  ~AgentConnection() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(AgentConnection);

  rpc::AgentGate::Client gate();
  // True from the moment at which nothing more can come from the agent: before any call has failed for it.
  bool hasEnded() const { return messages.hasEnded(); }

private:
  kj::Own<kj::AsyncIoStream> stream;
  GuestMessageStream messages;
  RpcNetwork network;
  capnp::RpcSystem<capnp::rpc::twoparty::VatId> system;
};

// Words in calls from the agent that clients have not answered yet, on one connection, before no more is
// read from it.  All clients of a workspace share a lane, and each stalled viewer or download holds a
// window (some 200 KiB) of it: enough for `maxTerminals` of them at half of it.
constexpr uint64_t LANE_FLOW_WORDS = 64 * 1024 * 1024 / 8;

}  // namespace bothy
