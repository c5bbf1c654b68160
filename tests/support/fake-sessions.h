#pragma once

#include <capnp/message.h>
#include <kj/function.h>

#include "schema/session-gate.capnp.h"

namespace bothy {

// The sessions of a FakeSupervisor: one of "demo", whose token is `token`.
class FakeSessions final {
public:
  kj::String token = kj::str("bothy_s_", kj::repeat('5', 72));
  // It has ended.
  bool isRevoked = false;
  // Set: it has no right to any lane, nor to a start.
  kj::Maybe<kj::StringPtr> notAllowed;
  // Set: what the next `create` answers.
  bool areTooMany = false;
  kj::Maybe<kj::StringPtr> invalid;
  // Set: what `revoke` answers.
  kj::Maybe<kj::StringPtr> ending;
  // Of the last session that was made.
  capnp::MallocMessageBuilder asked;
  kj::uint redeemed = 0;
  kj::uint starts = 0;

  rpc::Sessions::Client sessions();

  // Answers such a call; `newLane` makes lanes.
  using NewLane = kj::Function<rpc::Lane::Client(rpc::LaneRequest::Reader)>;
  void redeem(kj::StringPtr shown, rpc::SessionGate::RedeemResults::Builder results,
              NewLane newLane);

private:
  class SessionsServer;
  class SessionServer;
};

}  // namespace bothy
