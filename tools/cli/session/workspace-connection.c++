#include "session/workspace-connection.h"

#include <kj/debug.h>

#include "console/failure.h"
#include "supervisor/outcome.h"

namespace bothy {
namespace {

LaneSource& lanesOf(kj::Maybe<StartedLanes>& started, SupervisorLanes& source) {
  KJ_IF_MAYBE (lanes, started) return *lanes;
  return source;
}

}  // namespace

WorkspaceConnection::WorkspaceConnection(Context& context, kj::StringPtr workspace,
                                         WantedLane wanted, kj::Duration patience,
                                         kj::Function<void(kj::StringPtr)> notice,
                                         kj::Maybe<StartWorkspace> start, kj::StringPtr howToWake)
    : workspace(workspace),
      notice(kj::mv(notice)),
      source(context.connector, context.eventPort, workspace, wanted, howToWake),
      startedLanes(kj::mv(start).map([&](StartWorkspace&& function) {
        return StartedLanes(source, context.timer, workspace, kj::mv(function));
      })),
      lanes(lanesOf(startedLanes, source), context.timer, patience, *this) {}

void WorkspaceConnection::onAway(kj::Duration patience) {
  notice(kj::str("bothyd is not running: waiting ", patience / kj::SECONDS, " s for it"));
}

void WorkspaceConnection::onDelay(const kj::Exception& why, kj::Duration patience) {
  notice(kj::str(bothy::describe(why).message, "; waiting up to ", patience / kj::SECONDS, " s"));
}

void WorkspaceConnection::onStall(kj::StringPtr why) {
  wasStallNoted = true;
  notice(why);
}

void WorkspaceConnection::onLaneEnd(rpc::LaneEnd why) {
  // Who gives no lane says more of it.
  if (why == rpc::LaneEnd::PAUSED) return;
  if (why == rpc::LaneEnd::STALLED && wasStallNoted) return;
  KJ_IF_MAYBE (text, describeEnd(workspace, why)) notice(*text);
}

kj::Exception WorkspaceConnection::describe(Reconnection::GaveUp why) {
  switch (why) {
    case Reconnection::GaveUp::SUPERVISOR_AWAY:
      return failure("bothyd did not come back", EXEC_FAILED);
    case Reconnection::GaveUp::NO_ANSWER:
      return failure(kj::str(workspace, " did not answer in time: `bothy ls` shows how it is"),
                     EXEC_FAILED);
  }
  KJ_UNREACHABLE;
}

}  // namespace bothy
