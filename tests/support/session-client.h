#pragma once

#include <kj/function.h>

#include "lane/lane.h"
#include "schema/session-gate.capnp.h"
#include "support/supervised-host.h"

namespace bothy {

// The socket where tokens are redeemed.
kj::String sessionSocket(SupervisedHost& host);

// A session of a workspace that an operator makes.
struct MadeSession {
  kj::String id;
  kj::String token;
};
MadeSession makeSession(SupervisedHost& host, kj::StringPtr workspace,
                        kj::Function<void(rpc::SessionRights::Builder)> rights,
                        uint64_t lifetimeMillis = 600'000);

// Revokes it, as an operator: whether there was one, and its lanes are cut.
bool revokeSession(SupervisedHost& host, kj::StringPtr id);

// Whoever has a session's token, and nothing else of bothyd.
class SessionClient final {
public:
  // Connects.  A token that is refused is so by session().
  SessionClient(SupervisedHost& host, kj::StringPtr token);
  KJ_DISALLOW_COPY_AND_MOVE(SessionClient);

  bool isRefused();
  rpc::Session::Client session();
  // What it answers to whoever wants a lane.
  using Connected = capnp::Response<rpc::Session::ConnectResults>;
  Connected connect(kj::Function<void(rpc::LaneRequest::Builder)> want);
  kj::Own<Lane> openLane(kj::Function<void(rpc::LaneRequest::Builder)> want);

private:
  SupervisedHost& host;
  kj::Own<RpcConnection> connection;
  capnp::Response<rpc::SessionGate::RedeemResults> redeemed;
};

}  // namespace bothy
