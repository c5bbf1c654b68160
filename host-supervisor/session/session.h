#pragma once

#include <kj/async.h>
#include <kj/refcount.h>

#include "session/session-rights.h"
#include "wire/waiters.h"

namespace bothy {

// Why a session has ended: as SessionEnd of session.capnp.
enum class SessionEnd : uint8_t {
  NONE = 0,
  EXPIRED = 1,
  REVOKED = 2,
  WORKSPACE_DELETED = 3,
};

kj::StringPtr KJ_STRINGIFY(SessionEnd why);

// One session, from its creation to the end of its last lane.
class Session final: public kj::Refcounted {
public:
  // Whether an earlier bothyd may have granted lanes of it.
  enum class Origin { MADE_HERE, FOUND };

  Session(SessionRow row, Origin origin);
  ~Session() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(Session);

  const SessionRow& row() const { return stored; }
  const SessionRights rights;
  const Origin origin;
  kj::Own<Session> addRef() { return kj::addRef(*this); }

  // As agents know it, and on whose behalf its lanes are.
  kj::String laneName() const;
  kj::String laneActor() const;
  // As events have it.
  kj::String actorName() const;

  SessionEnd end() const { return ended; }
  // No lane may begin, and nobody redeem it: it has ended, or is just being revoked.
  bool isClosed() const { return ended != SessionEnd::NONE || stored.revokedNanos != 0; }
  // It has, and a lane of it may be open.
  bool mayBeUncut() const { return ended != SessionEnd::NONE && !isCut; }
  // Resolves when it has ended.
  kj::Promise<SessionEnd> onEnd();
  // What is true of its lanes that are not cut yet, for people; empty: nothing hinders that so far.
  kj::StringPtr hindrance() const { return whyUncut; }

  // Of the registry's.
  void setToken(kj::Array<const kj::byte> hash) { stored.tokenHash = kj::mv(hash); }
  void setUsed(int64_t nanos) { stored.lastUsedNanos = nanos; }
  // 0: it is not, after all.
  void setRevoked(int64_t nanos) { stored.revokedNanos = nanos; }
  void finish(SessionEnd why);
  void noteCut() { isCut = true; }
  // It went with its workspace's.
  void noteRowGone() { isRowGone = true; }
  bool hasRow() const { return !isRowGone; }
  void setHindrance(kj::String why) { whyUncut = kj::mv(why); }
  kj::Maybe<kj::ForkedPromise<void>> revoking;  // its row
  kj::Maybe<kj::ForkedPromise<void>> cutting;   // its lanes

private:
  SessionRow stored;
  SessionEnd ended = SessionEnd::NONE;
  bool isCut = false;
  bool isRowGone = false;
  kj::String whyUncut;
  Waiters waiters;
};

}  // namespace bothy
