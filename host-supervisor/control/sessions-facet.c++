#include "control/sessions-facet.h"

#include <kj/debug.h>
#include <string.h>

#include "control/session-translation.h"

namespace bothy {

kj::Promise<void> SessionsFacet::create(CreateContext context) {
  auto asked = context.getParams().getRequest();
  SessionRegistry::Request request;
  request.workspace = kj::str(asked.getWorkspace());
  request.rights = rightsOf(asked.getRights());
  request.lifetimeMillis = asked.getLifetimeMillis();
  request.label = kj::str(asked.getLabel());
  request.actor = kj::str(asked.getActor());
  request.requestId = kj::str(asked.getRequestId());
  auto result = co_await registry.create(kj::mv(request));
  auto outcome = context.getResults().initOutcome();
  KJ_SWITCH_ONEOF(result) {
    KJ_CASE_ONEOF(created, SessionRegistry::Created) {
      auto told = outcome.initCreated();
      fill(told.initInfo(), *created.session, manager);
      auto token = told.initToken(SessionToken::TEXT_BYTES);
      memcpy(token.begin(), created.token.bytes().begin(), SessionToken::TEXT_BYTES);
    }
    KJ_CASE_ONEOF(absent, SessionRegistry::Absent) {
      outcome.setAbsent();
    }
    KJ_CASE_ONEOF(invalid, SessionRegistry::Invalid) {
      outcome.setInvalid(invalid.why);
    }
    KJ_CASE_ONEOF(tooMany, SessionRegistry::TooMany) {
      auto list = outcome.initTooManySessions(tooMany.sessions.size());
      for (auto i : kj::indices(tooMany.sessions)) fill(list[i], *tooMany.sessions[i], manager);
    }
    KJ_CASE_ONEOF(conflict, SessionRegistry::RequestConflict) {
      outcome.setRequestConflict();
    }
  }
}

kj::Promise<void> SessionsFacet::list(ListContext context) {
  auto params = context.getParams();
  const size_t limit = params.getLimit() == 0
                           ? rpc::MAX_LISTED_SESSIONS
                           : kj::min(params.getLimit(), rpc::MAX_LISTED_SESSIONS);
  auto results = context.getResults();
  auto page = params.getWorkspace().size() == 0 ? registry.list().page(params.getAfter(), limit)
                                                : SessionList::Page{};
  if (params.getWorkspace().size() > 0) {
    KJ_IF_MAYBE (workspace, manager.view(params.getWorkspace())) {
      page = registry.list().pageOf(workspace->id, params.getAfter(), limit);
    }
  }
  auto list = results.initSessions(page.sessions.size());
  for (auto i : kj::indices(page.sessions)) fill(list[i], *page.sessions[i], manager);
  results.setNext(page.next);
  return kj::READY_NOW;
}

kj::Promise<void> SessionsFacet::get(GetContext context) {
  auto outcome = context.getResults().initOutcome();
  KJ_IF_MAYBE (session, registry.list().find(context.getParams().getId())) {
    fill(outcome.initFound(), **session, manager);
  } else {
    outcome.setAbsent();
  }
  return kj::READY_NOW;
}

kj::Maybe<kj::Own<Session>> SessionsFacet::find(rpc::SessionChoice::Reader which) {
  switch (which.which()) {
    case rpc::SessionChoice::ID:
      return registry.list().find(which.getId());
    case rpc::SessionChoice::TOKEN_HASH: {
      Sha256 hash;
      auto told = which.getTokenHash();
      if (told.size() != sizeof(hash.bytes)) return nullptr;
      memcpy(hash.bytes, told.begin(), sizeof(hash.bytes));
      return registry.list().byToken(hash);
    }
    case rpc::SessionChoice::NONE:
      break;
  }
  KJ_FAIL_REQUIRE("revoke needs an id, or the hash of a token");
}

kj::Promise<void> SessionsFacet::revoke(RevokeContext context) {
  auto found = find(context.getParams().getWhich());
  if (found == nullptr) {
    context.getResults().initOutcome().setAbsent();
    co_return;
  }
  auto& session = KJ_ASSERT_NONNULL(found);
  const bool isCut = co_await registry.revoke(session->addRef());
  auto outcome = context.getResults().initOutcome();
  if (isCut) {
    outcome.setRevoked();
  } else {
    outcome.setEnding(session->hindrance());
  }
}

}  // namespace bothy
