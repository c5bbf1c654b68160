#pragma once

#include <kj/map.h>

#include <map>
#include <string_view>

#include "keys/sha256.h"
#include "session/session.h"

namespace bothy {

// Sessions, found by all that one is looked for by.
class SessionList final {
public:
  SessionList() = default;
  KJ_DISALLOW_COPY_AND_MOVE(SessionList);

  void insert(kj::Own<Session> session);
  // It has ended: it has no token and is not due any more.
  void close(Session& session);
  void replaceToken(Session& session, const Sha256& hash);
  // Of one that has been erased it does nothing.
  void erase(Session& session);

  kj::Maybe<kj::Own<Session>> find(kj::StringPtr id);
  // Of those that are not closed.
  kj::Maybe<kj::Own<Session>> byToken(const Sha256& hash);
  kj::Maybe<kj::Own<Session>> byRequest(kj::StringPtr requestId);
  // The one whose time is over first, of those that are not closed.
  kj::Maybe<Session&> firstDue();
  // By age.
  kj::Array<kj::Own<Session>> ofWorkspace(kj::StringPtr workspaceId);
  // Calls it with each of a workspace until it returns false; whether it never did.
  bool forEachOf(kj::StringPtr workspaceId, kj::FunctionParam<bool(Session&)> act);

  // Of all workspaces, by id, those behind `after`; at most `limit`.
  struct Page {
    kj::Array<kj::Own<Session>> sessions;
    kj::String next;
  };
  Page page(kj::StringPtr after, size_t limit);
  // The same of one workspace.
  Page pageOf(kj::StringPtr workspaceId, kj::StringPtr after, size_t limit);
  size_t size() const { return byId.size(); }
  // Drops what goes on in each.
  void abandon();

private:
  using Text = std::string_view;  // of a session's own row

  std::map<Text, kj::Own<Session>> byId;
  std::map<std::pair<Text, Text>, Session*> byWorkspace;  // and id
  std::map<Text, Session*> requests;                      // of those that have one
  // Of those that are not closed.
  kj::HashMap<Sha256, Session*> byHash;
  std::map<std::pair<int64_t, Text>, Session*> due;
};

}  // namespace bothy
