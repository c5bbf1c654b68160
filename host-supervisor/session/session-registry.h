#pragma once

#include "session/session-cuts.h"
#include "session/session-list.h"
#include "session/session-token.h"
#include "workspace/creation-claims.h"

namespace bothy {

// Between two writes of when a session was used last.
constexpr kj::Duration SESSION_USE_PAUSE = 60 * kj::SECONDS;
// A clock that is set is noticed within this time.
constexpr kj::Duration SESSION_CLOCK_LOOK = 60 * kj::SECONDS;
// How long the call of a revocation waits for lanes that could not be cut at once: the agent's time, and that of a new device.
constexpr kj::Duration SESSION_REVOKE_PATIENCE = 3 * kj::SECONDS;

// All sessions of this host, until none of their lanes can be open.  What is said of one here is stored: its creation before its token is
// told, its revocation before its lanes are cut.
class SessionRegistry final: private kj::TaskSet::ErrorHandler {
public:
  struct Limits {
    uint32_t ofWorkspace = 16;
  };

  // The manager outlives it, and what the world refers to.
  SessionRegistry(World world, WorkspaceManager& manager, Limits limits);
  ~SessionRegistry() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(SessionRegistry);

  // Once, before anything else, when the manager has recovered: what an earlier bothyd left.  Those that have ended are cut again.
  void enter(kj::Array<SessionRow> found);

  struct Request {
    kj::String workspace;
    SessionRights rights;
    uint64_t lifetimeMillis = 0;
    kj::String label;
    kj::String actor;
    kj::String requestId;
  };
  struct Created {
    kj::Own<Session> session;
    Secret token;
  };
  struct Absent {};
  struct Invalid {
    kj::String why;
  };
  struct TooMany {
    kj::Array<kj::Own<Session>> sessions;
  };
  struct RequestConflict {};
  using CreateOutcome = kj::OneOf<Created, Absent, Invalid, TooMany, RequestConflict>;
  kj::Promise<CreateOutcome> create(Request request);

  // How many a workspace may have that have not ended: as its tier says, where it has one.
  uint32_t mostOf(const WorkspaceView& workspace) const;

  // Those that have ended too, as long as a lane of theirs may be open; the list is the registry's to change.
  SessionList& list() { return sessions; }
  // Until it expires.
  kj::Duration timeLeft(const Session& session) const;
  size_t size() const { return sessions.size(); }
  // Nothing is under way.
  bool isIdle() const { return sessions.size() == 0 && claims.isIdle(); }

  // For whoever redeems its token; notes the use.
  void noteUse(Session& session);

  // Returns when that is stored, and its lanes are cut, or that takes long: whether they are.
  kj::Promise<bool> revoke(kj::Own<Session> session);

  // Whether a session of this workspace that has ended may have a lane; and the same in a while, at most the time of a lane's opening.
  // Nobody gets one before that.
  bool mayHaveUncut(kj::StringPtr workspaceId);
  kj::Promise<bool> remainUncut(kj::StringPtr workspaceId);

private:
  World world;
  WorkspaceManager& manager;
  const Limits limits;
  SessionCuts cuts;
  CreationClaims claims;
  SessionList sessions;
  Waiters dueChanged;
  Waiters rowsGone;
  bool isExpiring = false;
  kj::Promise<void> expiring = nullptr;
  kj::TaskSet tasks;

  int64_t now() const { return nanosOf(world.clock.now()); }
  kj::Promise<kj::Maybe<kj::Own<Session>>> byRequestId(kj::StringPtr requestId);
  kj::Own<Session> insert(SessionRow row, Session::Origin origin);
  void end(Session& session, SessionEnd why);
  void awaitDue();
  kj::Promise<void> expireWhenDue();
  kj::Promise<void> store(Change change);
  kj::Promise<void> onCut(kj::Array<kj::Own<Session>> ended);
  kj::Promise<void> storeRevocation(kj::Own<Session> session);
  kj::Promise<void> cutAndRemove(kj::Own<Session> session);
  kj::Promise<void> removeRow(kj::Own<Session> session);
  void workspaceGone(kj::StringPtr id);
  kj::Promise<CreateOutcome> begin(SessionRow row, SessionToken token,
                                   kj::Own<CreationClaims::Claim> claim);
  kj::Promise<CreateOutcome> giveAnother(kj::Own<Session> session, SessionToken token,
                                         kj::Own<CreationClaims::Claim> claim);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
