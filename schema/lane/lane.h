#pragma once

#include <kj/async-io.h>

#include "lane/agent-message-stream.h"
#include "lane/lane-silence.h"
#include "schema/lane.capnp.h"
#include "wire/message-guard.h"
#include "wire/rpc-network.h"

namespace bothy {

// The end of a lane at which the agent is used: it reads the Welcome and speaks RPC from then on, with
// the limits of limits.capnp and no text of an exception from within the machine.
//
// Owns the stream.  Dropping it closes the lane and breaks every capability that came over it.  A client's lane ends too where it owes
// an answer and is silent for too long: see untilSilent().
class Lane final: private ListenedLane {
public:
  // How it is used: a client's, or the supervisor's control lane, which is smaller in everything.
  enum class Use { CLIENT, CONTROL };
  // `stream`: of a lane for which the Grant has been written.  `timer` and `clock` (see MessageGuard) outlive it.
  Lane(kj::Own<kj::AsyncIoStream> stream, kj::Timer& timer, Use use = Use::CLIENT,
       kj::Maybe<const kj::MonotonicClock&> clock = nullptr);
  ~Lane() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(Lane);

  // What the lane begins with.  Calls may be made before the Welcome has come.
  capnp::Capability::Client bootstrap() { return first; }

  // What the Welcome says.  Fails with DISCONNECTED when the lane ends without one.  Call once.
  kj::Promise<LaneAnswer> answer() { return kj::mv(answered.promise); }

  // Resolves when the lane has ended, whoever ended it; never fails.
  kj::Promise<void> onDisconnect() { return network.onDisconnect(); }
  // True from the moment at which nothing more can come from the agent: before any call has failed for it, but for one that fails because
  // the agent said what it may not.
  bool hasEnded() const { return messages.hasEnded() || isDisconnected; }
  // True from the moment at which the agent is known to have refused the lane, and so to have done nothing that was asked
  // for on it: before any call has failed for it.
  bool wasRefused() const { return messages.wasRefused(); }
  // Why the lane was ended here, if that is known: no word of it is the agent's.
  kj::Maybe<kj::StringPtr> whyEnded() const { return guard.whyEnded(); }

private:
  kj::Own<kj::AsyncIoStream> stream;
  kj::PromiseFulfillerPair<LaneAnswer> answered = kj::newPromiseAndFulfiller<LaneAnswer>();
  AgentMessageStream messages;
  MessageGuard guard;
  RpcNetwork network;
  capnp::RpcSystem<capnp::rpc::twoparty::VatId> system;
  capnp::Capability::Client first;
  bool isDisconnected = false;
  kj::Promise<void> disconnecting;
  kj::Promise<void> listening;

  uint64_t received() override { return guard.received(); }
  // The RPC system must not be asked anything more on a lane that has ended.
  bool isWaiting() override {
    return !hasEnded() && guard.isReading() && guard.openQuestions() > 0;
  }
  kj::Promise<void> ask() override;
  kj::Promise<void> endWhenSilent(kj::Timer& timer);
  capnp::Capability::Client askBootstrap();
};

}  // namespace bothy
