#include "support/fake-users.h"

#include <kj/debug.h>
#include <kj/vector.h>

namespace bothy {
namespace {

constexpr struct {
  kj::StringPtr user, name, workspace;
  rpc::WorkspaceState state;
} ALL[] = {{"alice"_kj, ""_kj, "alice-000000000001"_kj, rpc::WorkspaceState::PAUSED},
           {"alice"_kj, "lab"_kj, "alice-lab-000000000002"_kj, rpc::WorkspaceState::STOPPED},
           {"bob"_kj, ""_kj, "bob-000000000003"_kj, rpc::WorkspaceState::RUNNING}};

void describe(rpc::WorkspaceInfo::Builder info, kj::uint which) {
  auto spec = info.initSpec();
  spec.setName(ALL[which].workspace);
  spec.setImage("base");
  info.setState(ALL[which].state);
  info.setUser(ALL[which].user);
  info.setNameOfUser(ALL[which].name);
  info.setLastActiveNanos(1'700'000'000'000'000'000);
  info.setHost("host-1");
}

}  // namespace

class FakeUsers::Server final: public rpc::Users::Server {
public:
  explicit Server(FakeUsers& fake) : fake(fake) {}

  kj::Promise<void> ensure(EnsureContext context) override {
    auto params = context.getParams();
    fake.asked.setRoot(params);
    auto outcome = context.getResults().initOutcome();
    KJ_IF_MAYBE (answer, fake.answer) {
      (*answer)(outcome);
      return kj::READY_NOW;
    }
    for (auto i : kj::indices(ALL)) {
      auto& each = ALL[i];
      if (each.user != params.getUser() || each.name != params.getName()) continue;
      auto ensured = outcome.initEnsured();
      describe(ensured.initWorkspace(), i);
      ensured.getWorkspace().setState(rpc::WorkspaceState::RUNNING);
      ensured.setDone(each.state == rpc::WorkspaceState::PAUSED    ? rpc::Users::Done::RESUMED
                      : each.state == rpc::WorkspaceState::RUNNING ? rpc::Users::Done::CONNECTED
                                                                   : rpc::Users::Done::STARTED);
      return kj::READY_NOW;
    }
    auto ensured = outcome.initEnsured();
    ensured.initWorkspace().initSpec().setName("new-000000000004");
    ensured.getWorkspace().setState(rpc::WorkspaceState::RUNNING);
    ensured.setDone(rpc::Users::Done::CREATED);
    return kj::READY_NOW;
  }
  // One on a page.
  kj::Promise<void> list(ListContext context) override {
    auto params = context.getParams();
    auto results = context.getResults();
    bool isBehind = !params.hasAfter();
    kj::Vector<kj::uint> found;
    for (kj::uint i = 0; i < kj::size(ALL); i++) {
      auto& each = ALL[i];
      if (params.getUser() != "" && each.user != params.getUser()) continue;
      if (isBehind) found.add(i);
      if (!isBehind) {
        isBehind =
            each.user == params.getAfter().getUser() && each.name == params.getAfter().getName();
      }
    }
    if (found.size() > 0) describe(results.initWorkspaces(1)[0], found[0]);
    if (found.size() > 1) {
      auto next = results.initNext();
      next.setUser(ALL[found[0]].user);
      next.setName(ALL[found[0]].name);
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> remove(RemoveContext context) override {
    ++fake.removals;
    kj::Vector<kj::StringPtr> deleted;
    auto outcome = context.getResults().initOutcome();
    for (auto& each : ALL) {
      if (each.user != context.getParams().getUser()) continue;
      if (fake.isStuck && deleted.size() == 1) {
        outcome.setRemaining(each.workspace);
        auto underway = outcome.initUnderway();
        underway.setState(rpc::WorkspaceState::DELETING);
        underway.setWhy("it hangs\x1b[2J");
        continue;
      }
      deleted.add(each.workspace);
    }
    auto list = outcome.initDeleted(deleted.size());
    for (auto i : kj::indices(deleted)) list.set(i, deleted[i]);
    return kj::READY_NOW;
  }

private:
  FakeUsers& fake;
};

rpc::Users::Client FakeUsers::users() {
  return kj::heap<Server>(*this);
}

}  // namespace bothy
