#include "session/session-cuts.h"

#include <kj/debug.h>

namespace bothy {
namespace {

// Between two looks whether a vsock device has ended that is being replaced.
constexpr kj::Duration LOOK_PAUSE = 20 * kj::MILLISECONDS;

}  // namespace

kj::Promise<void> SessionCuts::cut(kj::Own<Session> session) {
  while (!co_await tryOnce(*session)) {
    co_await nextTry(*session).exclusiveJoin(hurried.wait());
  }
}

kj::Promise<void> SessionCuts::nextTry(Session& session) {
  KJ_IF_MAYBE (workspace, manager.byId(session.row().workspaceId)) {
    auto atHand = (*workspace)->machineAtHand();
    // No timer runs for a paused machine.
    if ((*workspace)->state() == WorkspaceState::PAUSED && atHand != nullptr) {
      return (*workspace)->whenResumed();
    }
  }
  return timer.afterDelay(SESSION_CUT_PAUSE);
}

kj::Promise<bool> SessionCuts::tryOnce(Session& session) {
  auto found = manager.byId(session.row().workspaceId);
  if (found == nullptr) co_return true;
  auto& workspace = *KJ_ASSERT_NONNULL(found);
  auto atHand = workspace.machineAtHand();
  if (atHand != nullptr) {
    // What comes next outlasts a workspace that is let go.
    auto machine = kj::mv(KJ_ASSERT_NONNULL(atHand));
    found = nullptr;
    co_return co_await cutOn(*machine, session);
  }
  if (!workspace.mayHaveMachine()) co_return true;
  session.setHindrance(workspace.unreachable().size() > 0
                           ? kj::str("the machine is not reached: ", workspace.unreachable())
                           : kj::str("the machine is not reached"));
  co_return false;
}

kj::Promise<bool> SessionCuts::cutOn(Machine& machine, Session& session) {
  auto told = kj::evalNow([&]() { return machine.endSession(session.laneName()); });
  if (session.origin == Session::Origin::MADE_HERE || !machine.mayHaveEarlierLanes()) {
    // All of its lanes are cut already, and the machine asks its agent though nobody waits.
    co_return true;
  }
  // Its agent is not asked; where lanes outlast the pause, they are cut after it, before anybody gets one.
  auto isHeldByPause = [&]() {
    if (!machine.isPaused() || machine.isEnding()) return false;
    session.setHindrance(kj::str("the workspace is paused"));
    return true;
  };
  if (isHeldByPause()) co_return false;
  bool isObeyed = false;
  auto isCut = [&]() { return isObeyed || !machine.mayHaveEarlierLanes() || machine.isEnding(); };
  if (machine.canRenewVsock()) {
    // What the agent says is the guest's word, whose root may hold such a lane.
    KJ_LOG(INFO, "lanes of an earlier bothyd end with the vsock device, which is replaced",
           machine.workspaceName(), session.row().id);
    machine.renewVsock();
    for (const auto begin = timer.now(); !isCut() && timer.now() - begin < SESSION_CUT_LIMIT;) {
      co_await timer.afterDelay(LOOK_PAUSE);
    }
  } else {
    co_await told.then([&isObeyed]() { isObeyed = true; }, [](kj::Exception&&) {})
        .exclusiveJoin(timer.afterDelay(SESSION_CUT_LIMIT));
  }
  if (isCut()) co_return true;
  if (isHeldByPause()) co_return false;
  session.setHindrance(machine.canRenewVsock()
                           ? kj::str("the machine's vsock device is not replaced yet")
                           : kj::str("the agent does not answer"));
  co_return false;
}

}  // namespace bothy
