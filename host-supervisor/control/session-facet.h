#pragma once

#include "control/event-watches.h"
#include "control/lane-opening.h"
#include "control/refusal-pace.h"
#include "control/workspace-teller.h"
#include "schema/session-gate.capnp.h"

namespace bothy {

// The bootstrap capability on the socket of sessions: without a token it gives nothing.
class SessionGateFacet final: public rpc::SessionGate::Server {
public:
  // What it serves; all of it outlives it.
  struct Rooms {
    WorkspaceManager& manager;
    EventLog& events;
    const HostAbilities& abilities;
    LaneKeeper& lanes;
    SessionRegistry& sessions;
    ActivityKeeper& activity;
    RefusalPace& refusals;
    // Who waits for a change has a place in them.
    EventWatches& watches;
    kj::ArrayPtr<const VerbGeneration> newerVerbs = verbsSinceTheOldest();
  };
  SessionGateFacet(const Rooms& rooms, ClientIdentity client) : rooms(rooms), client(client) {}

private:
  const Rooms& rooms;
  const ClientIdentity client;

  kj::Promise<void> redeem(RedeemContext context) override;
};

// Serves `Session` to whoever has redeemed its token.
class SessionFacet final: public rpc::Session::Server {
public:
  SessionFacet(const SessionGateFacet::Rooms& rooms, ClientIdentity client,
               kj::Own<Session> session);

private:
  const SessionGateFacet::Rooms& rooms;
  const ClientIdentity client;
  kj::Own<Session> session;
  LaneOpening opening;
  const WorkspaceTeller teller;

  kj::Promise<void> info(InfoContext context) override;
  kj::Promise<void> connect(ConnectContext context) override;
  kj::Promise<void> state(StateContext context) override;
  kj::Promise<void> start(StartContext context) override;
  kj::Promise<void> whenEnded(WhenEndedContext context) override;

  // As far as the session may see it.
  WorkspaceView shown(Workspace& workspace);
  // Of what a lane is wanted for.
  LaneOpening::Granted granted(rpc::LaneRequest::Reader wanted);
};

}  // namespace bothy
