#include "control/users-facet.h"

#include "control/rpc-progress.h"
#include "control/translation.h"
#include "schema/limits.capnp.h"

namespace bothy {

// The numbers of both are the same.
static_assert(static_cast<int>(UserWorkspaces::Done::RECREATED) ==
              static_cast<int>(rpc::Users::Done::RECREATED));

kj::Promise<void> UsersFacet::ensure(EnsureContext context) {
  auto params = context.getParams();
  auto spec = fromRpc(params.getSpec());
  KJ_IF_MAYBE (fault, spec.tryGet<kj::String>()) {
    context.getResults().initOutcome().setInvalid(*fault);
    co_return;
  }
  UserWorkspaces::Wanted wanted{kj::str(params.getUser()), kj::str(params.getName()),
                                kj::mv(spec.get<GivenSpec>()), kj::str(actor)};
  auto answer = co_await users.ensure(kj::mv(wanted), progressOf(params));
  auto outcome = context.getResults().initOutcome();
  KJ_SWITCH_ONEOF(answer->outcome) {
    KJ_CASE_ONEOF(ensured, UserWorkspaces::Ensured) {
      auto told = outcome.initEnsured();
      teller.tell(told.initWorkspace(), ensured.workspace->view());
      told.setDone(static_cast<rpc::Users::Done>(ensured.done));
    }
    KJ_CASE_ONEOF(failure, StartReport::Failure) {
      fill(outcome.initFailed(), failure);
    }
    KJ_CASE_ONEOF(invalid, WorkspaceManager::Invalid) {
      outcome.setInvalid(invalid.why);
    }
    KJ_CASE_ONEOF(image, WorkspaceManager::NoSuchImage) {
      outcome.setNoSuchImage(image.name);
    }
    KJ_CASE_ONEOF(noSpace, WorkspaceManager::NoSpace) {
      outcome.setNoSpace(noSpace.why);
    }
    KJ_CASE_ONEOF(stopped, WorkspaceManager::Stopped) {
      teller.tell(outcome.initStopped(), stopped.workspace->view());
    }
    KJ_CASE_ONEOF(busy, Busy) {
      outcome.setBusy(toRpc(busy.state));
    }
    KJ_CASE_ONEOF(underway, Underway) {
      fill(outcome.initUnderway(), underway);
    }
    KJ_CASE_ONEOF(shortage, Shortage) {
      fill(outcome.initNoCapacity(), shortage);
    }
  }
}

kj::Promise<void> UsersFacet::list(ListContext context) {
  auto params = context.getParams();
  UserQuery query;
  query.user = params.getUser();
  if (params.hasAfter()) {
    query.after = UserQuery::Place{params.getAfter().getUser(), params.getAfter().getName()};
  }
  if (params.getLimit() > 0) query.limit = params.getLimit();
  auto page = users.list(query);
  auto results = context.getResults();
  auto infos = results.initWorkspaces(page.workspaces.size());
  for (auto i : kj::indices(page.workspaces)) teller.tell(infos[i], page.workspaces[i]);
  KJ_IF_MAYBE (next, page.next) {
    auto place = results.initNext();
    place.setUser(next->user);
    place.setName(next->name);
  }
  return kj::READY_NOW;
}

kj::Promise<void> UsersFacet::remove(RemoveContext context) {
  auto removal = co_await users.remove(context.getParams().getUser(), actor);
  auto outcome = context.getResults().initOutcome();
  auto deleted = outcome.initDeleted(removal.deleted.size());
  for (auto i : kj::indices(removal.deleted)) deleted.set(i, removal.deleted[i]);
  KJ_IF_MAYBE (rest, removal.underway) {
    outcome.setRemaining(rest->name);
    fill(outcome.initUnderway(), rest->underway);
  }
}

}  // namespace bothy
