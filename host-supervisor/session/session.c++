#include "session/session.h"

namespace bothy {

kj::StringPtr KJ_STRINGIFY(SessionEnd why) {
  switch (why) {
    case SessionEnd::NONE:
      return "none";
    case SessionEnd::EXPIRED:
      return "expired";
    case SessionEnd::REVOKED:
      return "revoked";
    case SessionEnd::WORKSPACE_DELETED:
      return "its workspace was deleted";
  }
  KJ_UNREACHABLE;
}

Session::Session(SessionRow row, Origin origin)
    : rights(SessionRights::of(row)), origin(origin), stored(kj::mv(row)) {}

Session::~Session() noexcept(false) {}

kj::String Session::laneName() const {
  return kj::str("session ", stored.id);
}

kj::String Session::laneActor() const {
  if (stored.actor.size() == 0) return laneName();
  return kj::str("actor ", stored.actor);
}

kj::String Session::actorName() const {
  if (stored.actor.size() == 0) return laneName();
  return kj::str(laneName(), " of ", stored.actor);
}

kj::Promise<SessionEnd> Session::onEnd() {
  auto self = addRef();
  while (ended == SessionEnd::NONE) co_await waiters.wait();
  co_return ended;
}

void Session::finish(SessionEnd why) {
  if (ended != SessionEnd::NONE) return;
  ended = why;
  waiters.wakeAll();
}

}  // namespace bothy
