// What calls that bring up the workspaces of users, and that let workspaces expire, are held to.

#include <kj/debug.h>

#include "simulation/clients.h"

namespace bothy {
namespace {

constexpr uint32_t USERS = 2;

// It hears of stages, however often its workspace is begun.
class Listener final: public Progress {
public:
  void stage(Stage, kj::Duration, size_t) override { ++heard; }
  void setUp(const SetupStage&, kj::Duration) override { ++heard; }

private:
  size_t heard = 0;
};

}  // namespace

kj::Maybe<kj::String> Clients::nameOfUsers() {
  kj::Vector<kj::StringPtr> names;
  for (auto& workspace : bothyd.list()) {
    if (workspace.user.size() > 0) names.add(workspace.name);
  }
  if (names.size() == 0) return nullptr;
  return kj::str(names[host.fate.below(names.size())]);
}

// A user has one workspace of a name, from the first answer until somebody deletes it.
void Clients::examineEnsured(kj::StringPtr who, kj::StringPtr user, kj::StringPtr name,
                             const UserWorkspaces::Ensured& told) {
  auto& row = told.workspace->row();
  auto label = host.label(row.id);
  host.trace.line(who, "is told: ", label, " runs, ", static_cast<int>(told.done));
  if (row.user != user || row.userName != name) {
    host.judge.accuse("who asked for ", user, "'s '", name, "' gets ", label);
  }
  if (!host.store.hasRun(row.id)) {
    host.judge.accuse("who asked for a running ", label, " is told so, and it never ran");
  }
  auto key = kj::str("user ", user, ' ', name);
  KJ_IF_MAYBE (id, ledger.madeFor(key)) {
    KJ_IF_MAYBE (before, ledger.all().find(*id)) {
      if (*id != row.id && !before->deleteAsked) {
        host.judge.accuse(user, "'s '", name, "' was ", host.label(*id), " and is ", label);
      }
    }
  }
  ledger.remember(key, row.id);
  ledger.created(row);
  ++ledger.ensured;
}

kj::Promise<void> Clients::ensure(kj::String who) {
  auto& fate = host.fate;
  auto user = kj::str("user-", 1 + fate.below(USERS));
  auto name = kj::str(fate.oneIn(2) ? "" : "lab");
  host.trace.line(who, "ensure ", user, "'s '", name, "'");
  KJ_IF_MAYBE (found, bothyd.manager().ofUser(user, name)) {
    auto& facts = ledger.of((*found)->row());
    facts.isOff = false;
    ++facts.startsAsked;
    ++facts.haltsAsked;
  }
  auto imagesBefore = fate.struck(Fault::IMAGE_GONE);
  ++ledger.ensuring;
  KJ_DEFER(--ledger.ensuring);
  UserWorkspaces::Wanted wanted{kj::str(user), kj::str(name), {}, kj::str(who)};
  wanted.spec.configuration = configurationFor({nullptr, kj::str(user), 0, true});
  auto answer =
      co_await bothyd.users().ensure(kj::mv(wanted), kj::Own<Progress>(kj::heap<Listener>()));
  if (!isHeard()) co_return;
  KJ_SWITCH_ONEOF(answer->outcome) {
    KJ_CASE_ONEOF(ensured, UserWorkspaces::Ensured) {
      examineEnsured(who, user, name, ensured);
    }
    KJ_CASE_ONEOF(failure, StartReport::Failure) {
      examine(who, failure);
    }
    KJ_CASE_ONEOF(invalid, WorkspaceManager::Invalid) {
      host.judge.accuse("a good request is refused: ", invalid.why);
    }
    KJ_CASE_ONEOF(image, WorkspaceManager::NoSuchImage) {
      if (fate.struck(Fault::IMAGE_GONE) == imagesBefore) {
        host.judge.accuse("an image that is there is not found: ", image.name);
      }
    }
    KJ_CASE_ONEOF(noSpace, WorkspaceManager::NoSpace) {
      host.trace.line(who, "is told: no space, ", noSpace.why);
    }
    KJ_CASE_ONEOF(stopped, WorkspaceManager::Stopped) {
      host.trace.line(who, "is told: stopped before it ran");
    }
    KJ_CASE_ONEOF(busy, Busy) {
      host.trace.line(who, "is told: busy, ", busy.state);
    }
    KJ_CASE_ONEOF(underway, Underway) {
      examine(who, underway);
    }
    KJ_CASE_ONEOF(shortage, Shortage) {
      examine(who, shortage);
    }
  }
}

kj::Promise<void> Clients::expire(kj::String who, kj::String name) {
  auto found = bothyd.manager().find(name);
  if (found == nullptr) co_return;
  auto& workspace = *KJ_ASSERT_NONNULL(found);
  if (replyTo(Wish::EXPIRE, workspace.state()) == Reply::BUSY) co_return;
  auto id = kj::str(workspace.row().id);
  auto label = host.label(id);
  host.trace.line(who, "expire ", label);
  const auto startsBefore = ledger.of(workspace.row()).startsAsked;
  auto outcome = co_await workspace.expire(who);
  if (!isHeard()) co_return;
  KJ_SWITCH_ONEOF(outcome) {
    KJ_CASE_ONEOF(expired, Workspace::Expired) {
      host.trace.line(who, "is told: expired ", label);
      ++ledger.expired;
      auto& facts = ledger.of(workspace.row());
      const bool mayBeMadeAnew = facts.startsAsked != startsBefore || facts.deleteAsked ||
                                 (workspace.row().user.size() > 0 && ledger.ensuring > 0);
      if (mayBeMadeAnew || host.store.row(id) == nullptr) co_return;
      if (host.volumes.find(id) != nullptr || host.keys.find(id) != nullptr ||
          host.machinery.lives(id)) {
        host.judge.accuse(label, " is said to have expired, and something of it is on the host");
      }
    }
    KJ_CASE_ONEOF(damaged, Workspace::NotExpired) {
      host.trace.line(who, "is told: damaged");
    }
    KJ_CASE_ONEOF(superseded, Superseded) {
      host.trace.line(who, "is told: superseded");
    }
    KJ_CASE_ONEOF(busy, Busy) {
      host.trace.line(who, "is told: busy");
    }
    KJ_CASE_ONEOF(underway, Underway) {
      examine(who, underway);
    }
  }
}

}  // namespace bothy
