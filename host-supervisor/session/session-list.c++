#include "session/session-list.h"

#include <kj/debug.h>
#include <kj/vector.h>

#include <algorithm>

namespace bothy {
namespace {

std::string_view viewOf(kj::StringPtr text) {
  return {text.begin(), text.size()};
}

Sha256 hashOf(const SessionRow& row) {
  Sha256 hash;
  KJ_ASSERT(row.tokenHash.size() == sizeof(hash.bytes));
  std::copy(row.tokenHash.begin(), row.tokenHash.end(), hash.bytes);
  return hash;
}

// The sessions from `at` on, as long as `isMeant`.
template <typename Iterator, typename Func>
SessionList::Page pageFrom(Iterator at, Iterator end, size_t limit, Func&& isMeant) {
  SessionList::Page page;
  kj::Vector<kj::Own<Session>> found;
  for (; at != end && isMeant(*at->second); ++at) {
    if (found.size() == limit) {
      page.next = kj::str(found.back()->row().id);
      break;
    }
    found.add(at->second->addRef());
  }
  page.sessions = found.releaseAsArray();
  return page;
}

}  // namespace

void SessionList::insert(kj::Own<Session> session) {
  auto& row = session->row();
  byWorkspace[{viewOf(row.workspaceId), viewOf(row.id)}] = session.get();
  if (row.requestId.size() > 0) requests[viewOf(row.requestId)] = session.get();
  if (!session->isClosed()) {
    byHash.insert(hashOf(row), session.get());
    due[{row.expiresNanos, viewOf(row.id)}] = session.get();
  }
  byId[viewOf(row.id)] = kj::mv(session);
}

void SessionList::close(Session& session) {
  auto& row = session.row();
  const auto hash = hashOf(row);
  // Rows that are damaged may have one hash.
  KJ_IF_MAYBE (known, byHash.find(hash)) {
    if (*known == &session) byHash.erase(hash);
  }
  due.erase({row.expiresNanos, viewOf(row.id)});
}

void SessionList::replaceToken(Session& session, const Sha256& hash) {
  byHash.erase(hashOf(session.row()));
  session.setToken(kj::heapArray<const kj::byte>(hash.bytes, sizeof(hash.bytes)));
  byHash.insert(hash, &session);
}

void SessionList::erase(Session& session) {
  auto& row = session.row();
  auto at = byId.find(viewOf(row.id));
  if (at == byId.end()) return;
  close(session);
  byWorkspace.erase({viewOf(row.workspaceId), viewOf(row.id)});
  auto request = requests.find(viewOf(row.requestId));
  if (request != requests.end() && request->second == &session) requests.erase(request);
  // The last: it may be what holds the session, and so all texts.
  auto last = kj::mv(at->second);
  byId.erase(at);
}

kj::Maybe<kj::Own<Session>> SessionList::find(kj::StringPtr id) {
  auto found = byId.find(viewOf(id));
  if (found == byId.end()) return nullptr;
  return found->second->addRef();
}

kj::Maybe<kj::Own<Session>> SessionList::byToken(const Sha256& hash) {
  return byHash.find(hash).map([](Session* session) { return session->addRef(); });
}

kj::Maybe<kj::Own<Session>> SessionList::byRequest(kj::StringPtr requestId) {
  auto found = requests.find(viewOf(requestId));
  if (found == requests.end()) return nullptr;
  return found->second->addRef();
}

kj::Maybe<Session&> SessionList::firstDue() {
  if (due.empty()) return nullptr;
  return *due.begin()->second;
}

kj::Array<kj::Own<Session>> SessionList::ofWorkspace(kj::StringPtr workspaceId) {
  kj::Vector<kj::Own<Session>> found;
  forEachOf(workspaceId, [&](Session& session) {
    found.add(session.addRef());
    return true;
  });
  std::sort(found.begin(), found.end(), [](const kj::Own<Session>& a, const kj::Own<Session>& b) {
    return a->row().createdNanos < b->row().createdNanos;
  });
  return found.releaseAsArray();
}

bool SessionList::forEachOf(kj::StringPtr workspaceId, kj::FunctionParam<bool(Session&)> act) {
  const auto id = viewOf(workspaceId);
  for (auto at = byWorkspace.lower_bound({id, Text()});
       at != byWorkspace.end() && at->first.first == id; ++at) {
    if (!act(*at->second)) return false;
  }
  return true;
}

SessionList::Page SessionList::page(kj::StringPtr after, size_t limit) {
  return pageFrom(byId.upper_bound(viewOf(after)), byId.end(), limit,
                  [](const Session&) { return true; });
}

SessionList::Page SessionList::pageOf(kj::StringPtr workspaceId, kj::StringPtr after,
                                      size_t limit) {
  return pageFrom(byWorkspace.upper_bound({viewOf(workspaceId), viewOf(after)}), byWorkspace.end(),
                  limit,
                  [&](const Session& session) { return session.row().workspaceId == workspaceId; });
}

void SessionList::abandon() {
  for (auto& entry : byId) {
    entry.second->revoking = nullptr;
    entry.second->cutting = nullptr;
  }
}

}  // namespace bothy
