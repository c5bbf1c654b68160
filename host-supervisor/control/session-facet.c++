#include "control/session-facet.h"

#include <kj/debug.h>

#include "control/rpc-progress.h"
#include "control/session-translation.h"
#include "control/translation.h"

namespace bothy {

kj::Promise<void> SessionGateFacet::redeem(RedeemContext context) {
  kj::Maybe<kj::Own<Session>> found;
  KJ_IF_MAYBE (hash, hashOfToken(context.getParams().getToken())) {
    found = rooms.sessions.list().byToken(*hash);
  }
  KJ_IF_MAYBE (session, found) {
    if (!(*session)->isClosed()) {
      rooms.sessions.noteUse(**session);
      auto results = context.getResults();
      fill(results.initOutcome().initRedeemed(), **session, rooms.manager);
      results.setSession(kj::heap<SessionFacet>(rooms, client, kj::mv(*session)));
      co_return;
    }
  }
  co_await rooms.refusals.next(client);
  context.getResults().initOutcome().setRefused();
}

SessionFacet::SessionFacet(const SessionGateFacet::Rooms& rooms, ClientIdentity client,
                           kj::Own<Session> session)
    : rooms(rooms),
      client(client),
      session(kj::mv(session)),
      opening(rooms.lanes, rooms.sessions, rooms.activity, rooms.newerVerbs),
      teller(rooms.abilities, rooms.activity) {}

kj::Promise<void> SessionFacet::info(InfoContext context) {
  fill(context.getResults().initInfo(), *session, rooms.manager);
  return kj::READY_NOW;
}

WorkspaceView SessionFacet::shown(Workspace& workspace) {
  return WorkspaceTeller::forSession(workspace.view(), session->rights);
}

LaneOpening::Granted SessionFacet::granted(rpc::LaneRequest::Reader wanted) {
  auto asked = grantFor(wanted, nullptr, client);
  KJ_IF_MAYBE (why, asked.tryGet<kj::StringPtr>()) return LaneOpening::Unsupported{*why};
  auto narrowed = session->rights.narrow(kj::mv(asked.get<LaneGrant>()));
  KJ_IF_MAYBE (why, narrowed.tryGet<kj::StringPtr>()) return LaneOpening::NotAllowed{*why};
  auto& grant = narrowed.get<LaneGrant>();
  grant.session = session->laneName();
  grant.actor = session->laneActor();
  grant.allLanes = false;
  return kj::mv(grant);
}

kj::Promise<void> SessionFacet::connect(ConnectContext context) {
  auto found = rooms.manager.byId(session->row().workspaceId);
  if (found == nullptr || session->isClosed()) {
    context.getResults().initOutcome().setAbsent();
    co_return;
  }
  auto& workspace = KJ_ASSERT_NONNULL(found);
  auto params = context.getParams();
  auto actor = session->actorName();
  auto waking = LaneOpening::wakingOf(params, actor, session->rights);
  auto opened = co_await opening.open(workspace->addRef(), granted(params.getWanted()), client,
                                      kj::mv(waking), session->addRef());
  auto results = context.getResults();
  KJ_IF_MAYBE (lane, opened.tryGet<rpc::Lane::Client>()) {
    results.setLane(kj::mv(*lane));
    teller.tell(results.initOutcome().initConnected(), shown(*workspace));
  } else {
    fill(results.initOutcome(), opened);
  }
}

kj::Promise<void> SessionFacet::state(StateContext context) {
  const bool isOther = context.getParams().getIsOther();
  const auto than = context.getParams().getThan();
  kj::Maybe<kj::Own<EventWatches::Place>> place;
  auto isAnother = [&](rpc::WorkspaceState state) { return !isOther || state != than; };
  for (;;) {
    if (session->end() != SessionEnd::NONE) {
      context.getResults().initOutcome().setEnded(toRpc(session->end()));
      co_return;
    }
    const auto newest = rooms.events.newest();
    KJ_IF_MAYBE (workspace, rooms.manager.viewById(session->row().workspaceId)) {
      const auto state = toRpc(workspace->state);
      if (isAnother(state)) {
        context.getResults().initOutcome().setState(state);
        co_return;
      }
    }
    // Who waits looks at each event of the host.
    if (place == nullptr) place = rooms.watches.requirePlace(client);
    // Each change of a state has an event.
    co_await rooms.events.beyond(newest).exclusiveJoin(session->onEnd().ignoreResult());
    KJ_IF_MAYBE (workspace, rooms.manager.viewById(session->row().workspaceId)) {
      if (isAnother(toRpc(workspace->state))) continue;
    }
    KJ_IF_MAYBE (workspace, rooms.manager.byId(session->row().workspaceId)) {
      // The event may be heard of a moment before the state shows.
      co_await (*workspace)->quiet();
    }
  }
}

kj::Promise<void> SessionFacet::start(StartContext context) {
  if (session->isClosed()) {
    // One whose revocation is being stored has no end yet.
    const auto end = session->end() == SessionEnd::NONE ? SessionEnd::REVOKED : session->end();
    context.getResults().initOutcome().setEnded(toRpc(end));
    co_return;
  }
  if (!session->rights.mayStart()) {
    context.getResults().initOutcome().setNotAllowed(
        "this session has no right to start its workspace (power)");
    co_return;
  }
  auto found = rooms.manager.byId(session->row().workspaceId);
  if (found == nullptr) {
    context.getResults().initOutcome().initStart().setAbsent();
    co_return;
  }
  auto& workspace = KJ_ASSERT_NONNULL(found);
  auto actor = session->actorName();
  auto progress = progressOf(context.getParams(), session->rights.maySeeSetup());
  auto result = co_await workspace->start(kj::mv(progress), actor);
  teller.tell(context.getResults().initOutcome().initStart(), shown(*workspace), result);
}

kj::Promise<void> SessionFacet::whenEnded(WhenEndedContext context) {
  kj::Maybe<kj::Own<EventWatches::Place>> place;
  if (session->end() == SessionEnd::NONE) place = rooms.watches.requirePlace(client);
  context.getResults().setReason(toRpc(co_await session->onEnd()));
}

}  // namespace bothy
