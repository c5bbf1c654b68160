#include "user/user-workspaces.h"

#include <kj/debug.h>

#include "schema/limits.capnp.h"
#include "user/ensuring.h"

namespace bothy {
namespace {

kj::Maybe<kj::String> faultOf(const UserWorkspaces::Wanted& wanted) {
  if (wanted.name.size() > 0 && WorkspaceName::parse(wanted.name) == nullptr) {
    return kj::str("name is no name of a workspace: it must be empty, or 1 to ",
                   rpc::MAX_WORKSPACE_NAME_BYTES, " of a-z, 0-9 and '-', no '-' at either end");
  }
  if (wanted.spec.name.size() > 0) {
    return kj::str(
        "spec.name is given: it must be empty, what a user's workspace is called is made");
  }
  return nullptr;
}

kj::Own<UserWorkspaces::Answer> invalid(kj::String why) {
  return kj::refcounted<UserWorkspaces::Answer>(WorkspaceManager::Invalid{kj::mv(why)});
}

}  // namespace

kj::Promise<kj::Own<UserWorkspaces::Answer>> UserWorkspaces::ensure(
    Wanted wanted, kj::Maybe<kj::Own<Progress>> progress) {
  KJ_IF_MAYBE (fault, faultOf(wanted)) return invalid(kj::mv(*fault));
  KJ_IF_MAYBE (user, UserId::parse(wanted.user)) {
    // No user has a space in him.
    auto key = kj::str(user->text(), ' ', wanted.name);
    KJ_IF_MAYBE (underWay, ensuring.find(key)) return (*underWay)->join(kj::mv(progress));
    auto begun = kj::refcounted<Ensuring>(*this, kj::mv(key), kj::mv(*user), kj::mv(wanted.name),
                                          kj::mv(wanted.spec), kj::mv(wanted.actor));
    return begun->join(kj::mv(progress));
  }
  return invalid(noUserId(wanted.user));
}

kj::Promise<UserWorkspaces::Removal> UserWorkspaces::remove(kj::StringPtr user,
                                                            kj::StringPtr actor) {
  kj::Vector<kj::String> names;
  if (user.size() > 0) {
    UserQuery query;
    query.user = user;
    for (;;) {
      auto page = manager.listOfUsers(query);
      for (auto& view : page.workspaces) names.add(kj::str(view.name));
      if (page.next == nullptr) break;
      query.after = page.next;
    }
  }
  struct One {
    kj::Own<Workspace> workspace;
    kj::Maybe<Workspace::EraseOutcome> outcome;
  };
  kj::Vector<kj::Own<One>> all;
  kj::Vector<kj::Promise<void>> erasures;
  for (auto& name : names) {
    KJ_IF_MAYBE (found, manager.find(name)) {
      auto& one = *all.add(kj::heap<One>(One{kj::mv(*found), nullptr}));
      erasures.add(one.workspace->erase(actor).then(
          [&one](Workspace::EraseOutcome&& outcome) { one.outcome = kj::mv(outcome); }));
    }
  }
  co_await kj::joinPromises(erasures.releaseAsArray());
  Removal removal;
  kj::Vector<kj::String> deleted;
  for (auto& one : all) {
    auto& outcome = KJ_ASSERT_NONNULL(one->outcome);
    auto name = kj::str(one->workspace->row().name);
    KJ_IF_MAYBE (underway, outcome.tryGet<Underway>()) {
      if (removal.underway == nullptr)
        removal.underway = Removal::Rest{kj::mv(name), kj::mv(*underway)};
    } else {
      deleted.add(kj::mv(name));
    }
  }
  removal.deleted = deleted.releaseAsArray();
  co_return kj::mv(removal);
}

}  // namespace bothy
