#pragma once

#include "session/session.h"
#include "workspace/workspace-manager.h"

namespace bothy {

// How long a try may take to end the lanes that an earlier bothyd has granted to a session that has ended.  Who has such a lane has the other
// end of it, so nothing ends it on the host's side but to replace the machine's vsock device, with all its lanes; that is done once, for all
// sessions and at the first end of one, because an agent that says to have closed them may be the guest's root.  The kernel's vsock has no
// device: there the agent is believed.
constexpr kj::Duration SESSION_CUT_LIMIT = 1 * kj::SECONDS;
// Between two tries, where the machine cannot be reached.
constexpr kj::Duration SESSION_CUT_PAUSE = 1 * kj::SECONDS;

// Sees to it that no lane is open of a session that has ended.  What this bothyd has granted is cut on the host's side by whoever keeps
// it (Session::onEnd()); of what an earlier one has, the agent alone knows.
class SessionCuts final {
public:
  // Both outlive it.
  SessionCuts(kj::Timer& timer, WorkspaceManager& manager) : timer(timer), manager(manager) {}
  KJ_DISALLOW_COPY_AND_MOVE(SessionCuts);

  // Resolves when none can be open, however long that takes.
  kj::Promise<void> cut(kj::Own<Session> session);
  // Those that wait for a machine to be reached try at once.
  void hurry() { hurried.wakeAll(); }

private:
  kj::Timer& timer;
  WorkspaceManager& manager;
  Waiters hurried;

  // Whether it is done.
  kj::Promise<bool> tryOnce(Session& session);
  // When it may come to more.
  kj::Promise<void> nextTry(Session& session);
  kj::Promise<bool> cutOn(Machine& machine, Session& session);
};

}  // namespace bothy
