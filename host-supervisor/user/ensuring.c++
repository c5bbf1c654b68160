#include "user/ensuring.h"

#include <kj/debug.h>

namespace bothy {
namespace {

// So often others may come between a look at the state and what is done for it.
constexpr uint32_t MOST_ATTEMPTS = 8;

// What whoever joins it has done by that.
UserWorkspaces::Done doneBy(Workspace::Making making) {
  switch (making) {
    case Workspace::Making::NONE:
      return UserWorkspaces::Done::STARTED;
    case Workspace::Making::FIRST:
      return UserWorkspaces::Done::CREATED;
    case Workspace::Making::ANEW:
      return UserWorkspaces::Done::RECREATED;
  }
  KJ_UNREACHABLE;
}

GivenSpec specOf(const GivenSpec& given, kj::String name) {
  auto spec = given.clone();
  spec.name = kj::mv(name);
  return spec;
}

}  // namespace

Ensuring::Ensuring(UserWorkspaces& owner, kj::String keyParam, UserId user, kj::String name,
                   GivenSpec spec, kj::String actor)
    : owner(owner),
      manager(owner.manager),
      key(kj::mv(keyParam)),
      user(kj::mv(user)),
      name(kj::mv(name)),
      spec(kj::mv(spec)),
      actor(kj::mv(actor)),
      answer(nullptr) {
  owner.ensuring.insert(kj::str(key), this);
  // Not before somebody waits.
  answer = kj::evalLater([this]() { return run(); }).fork();
}

Ensuring::~Ensuring() noexcept(false) {
  leave();
}

// Who asks from now on asks anew.
void Ensuring::leave() {
  if (isOver) return;
  isOver = true;
  owner.ensuring.erase(key);
}

kj::Promise<kj::Own<UserWorkspaces::Answer>> Ensuring::join(kj::Maybe<kj::Own<Progress>> listener) {
  auto listening = progress->listen(kj::mv(listener));
  return answer.addBranch().attach(kj::mv(listening), kj::addRef(*this));
}

void Ensuring::note(Done what) {
  done = kj::max(done, what);
}

kj::Promise<kj::Own<UserWorkspaces::Answer>> Ensuring::run() {
  KJ_DEFER(leave());
  kj::Maybe<Outcome> outcome;
  for (uint32_t i = 0; i < MOST_ATTEMPTS && outcome == nullptr; i++) outcome = co_await attempt();
  KJ_IF_MAYBE (told, outcome) co_return kj::refcounted<UserWorkspaces::Answer>(kj::mv(*told));
  auto found = manager.ofUser(user.text(), name);
  auto state = found.map([](kj::Own<Workspace>& w) { return w->state(); });
  co_return kj::refcounted<UserWorkspaces::Answer>(Busy{state.orDefault(WorkspaceState::DELETING)});
}

kj::Promise<kj::Maybe<UserWorkspaces::Outcome>> Ensuring::attempt() {
  auto found = manager.ofUser(user.text(), name);
  if (found == nullptr) co_return co_await create();
  auto workspace = kj::mv(KJ_ASSERT_NONNULL(found));
  co_await workspace->quiet();
  co_return co_await bringUp(kj::mv(workspace));
}

kj::Promise<kj::Maybe<UserWorkspaces::Outcome>> Ensuring::create() {
  WorkspaceManager::CreateRequest request;
  request.spec = specOf(spec, newWorkspaceName(user, name, owner.randomness));
  request.user = kj::str(user.text());
  request.userName = kj::str(name);
  request.actor = kj::str(actor);
  auto outcome = co_await manager.create(kj::mv(request), progress->input());
  KJ_SWITCH_ONEOF(outcome) {
    KJ_CASE_ONEOF(created, WorkspaceManager::Created) {
      note(Done::CREATED);
      co_return outcomeNow(kj::mv(created.workspace));
    }
    // Another has come first; or, once in 2^48 times, the name is taken.
    KJ_CASE_ONEOF(exists, WorkspaceManager::Exists) co_return nullptr;
    KJ_CASE_ONEOF(invalid, WorkspaceManager::Invalid) co_return Outcome(kj::mv(invalid));
    KJ_CASE_ONEOF(image, WorkspaceManager::NoSuchImage) co_return Outcome(kj::mv(image));
    KJ_CASE_ONEOF(conflict, WorkspaceManager::RequestConflict) KJ_UNREACHABLE;
    KJ_CASE_ONEOF(failure, StartReport::Failure) co_return Outcome(kj::mv(failure));
    KJ_CASE_ONEOF(noSpace, WorkspaceManager::NoSpace) co_return Outcome(kj::mv(noSpace));
    KJ_CASE_ONEOF(stopped, WorkspaceManager::Stopped) co_return Outcome(kj::mv(stopped));
    KJ_CASE_ONEOF(underway, Underway) co_return Outcome(kj::mv(underway));
    KJ_CASE_ONEOF(shortage, Shortage) co_return Outcome(kj::mv(shortage));
  }
  KJ_UNREACHABLE;
}

// From wherever it is.
kj::Promise<kj::Maybe<UserWorkspaces::Outcome>> Ensuring::bringUp(kj::Own<Workspace> workspace) {
  auto& it = *workspace;
  switch (it.state()) {
    case WorkspaceState::RUNNING:
      if (it.setup().isUnfinished() && it.unreachable().size() == 0) {
        co_await it.whenSetUp(progress->input());
        if (it.state() != WorkspaceState::RUNNING) co_return outcomeNow(kj::mv(workspace));
      }
      co_return Outcome(UserWorkspaces::Ensured{kj::mv(workspace), done});
    case WorkspaceState::CREATING:
    case WorkspaceState::STARTING:
      note(doneBy(it.making()));
      co_return co_await outcomeOf(kj::mv(workspace), it.join(progress->input()));
    case WorkspaceState::PAUSED:
    case WorkspaceState::PAUSING:
    case WorkspaceState::RESUMING:
    case WorkspaceState::HIBERNATED:
    case WorkspaceState::HIBERNATING: {
      note(Done::RESUMED);
      auto outcome = co_await outcomeOf(workspace->addRef(), it.wake(progress->input(), actor));
      // It may have steps to do still.
      if (it.state() == WorkspaceState::RUNNING && it.setup().isUnfinished()) co_return nullptr;
      co_return kj::mv(outcome);
    }
    case WorkspaceState::STOPPED:
    case WorkspaceState::FAILED:
      note(Done::STARTED);
      co_return co_await outcomeOf(kj::mv(workspace), it.start(progress->input(), actor));
    case WorkspaceState::EXPIRED:
      note(Done::RECREATED);
      co_return co_await outcomeOf(kj::mv(workspace), it.start(progress->input(), actor));
    case WorkspaceState::STOPPING:
    case WorkspaceState::DELETING:
    case WorkspaceState::RESIZING:
    case WorkspaceState::EXPIRING: {
      auto underway = co_await it.settled();
      KJ_IF_MAYBE (goesOn, underway) co_return Outcome(kj::mv(*goesOn));
      co_return nullptr;
    }
  }
  KJ_UNREACHABLE;
}

kj::Maybe<UserWorkspaces::Outcome> Ensuring::outcomeNow(kj::Own<Workspace> workspace) {
  switch (workspace->state()) {
    case WorkspaceState::RUNNING:
      return Outcome(UserWorkspaces::Ensured{kj::mv(workspace), done});
    case WorkspaceState::STOPPING:
    case WorkspaceState::STOPPED:
      // Who has just stopped it does not want it to run; nor does a guest that has powered itself off.
      return Outcome(WorkspaceManager::Stopped{kj::mv(workspace)});
    case WorkspaceState::DELETING:
      return Outcome(Busy{WorkspaceState::DELETING});
    default:
      return nullptr;
  }
}

kj::Promise<kj::Maybe<UserWorkspaces::Outcome>> Ensuring::outcomeOf(
    kj::Own<Workspace> workspace, kj::Promise<Workspace::StartOutcome> start) {
  auto outcome = co_await start;
  KJ_SWITCH_ONEOF(outcome) {
    KJ_CASE_ONEOF(report, kj::Own<StartReport>) {
      KJ_IF_MAYBE (failure, report->failure) {
        if (failure->noSpace)
          co_return Outcome(WorkspaceManager::NoSpace{kj::str(failure->message)});
        // Others may wait for the same report.
        co_return Outcome(StartReport::Failure{
            failure->stage, failure->fault, kj::str(failure->message), kj::str(failure->console)});
      }
      if (report->isMadeOnly) co_return nullptr;
      co_return outcomeNow(kj::mv(workspace));
    }
    KJ_CASE_ONEOF(superseded, Superseded) {
      if (superseded.by == Wish::STOP) {
        co_return Outcome(WorkspaceManager::Stopped{kj::mv(workspace)});
      }
      co_return Outcome(Busy{workspace->state()});
    }
    // Another came between.
    KJ_CASE_ONEOF(busy, Busy) co_return nullptr;
    KJ_CASE_ONEOF(underway, Underway) co_return Outcome(kj::mv(underway));
    KJ_CASE_ONEOF(shortage, Shortage) co_return Outcome(kj::mv(shortage));
  }
  KJ_UNREACHABLE;
}

}  // namespace bothy
