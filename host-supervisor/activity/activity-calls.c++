// What clients ask of an ActivityKeeper.

#include <kj/debug.h>

#include "activity/tracked-workspace.h"
#include "loop/failure-of.h"
#include "workspace/workspace-id.h"

namespace bothy {

Wakefulness ActivityKeeper::describe(Tracked& workspace) const {
  auto told = bothy::describe(workspace.use, now(), wallNow());
  KJ_IF_MAYBE (act, workspace.act) {
    if (stepOf(act->rule).leadsTo(workspace.use.state)) {
      told.past = Wakefulness::Past{act->rule, act->nanos};
    }
  }
  KJ_IF_MAYBE (next, told.next) next->failure = kj::str(workspace.whyNot);
  return told;
}

kj::Promise<kj::Maybe<Wakefulness>> ActivityKeeper::why(kj::StringPtr workspaceId) {
  auto found = findOrTrack(workspaceId);
  if (found == nullptr) co_return nullptr;
  auto workspace = kj::addRef(KJ_ASSERT_NONNULL(found));
  if (workspace->use.state == WorkspaceState::RUNNING) {
    auto told = co_await rooms.world.askGuest(workspace->id);
    if (workspace->use.state == WorkspaceState::RUNNING) workspace->use.hear(kj::mv(told), now());
  }
  if (workspace->isGone) co_return nullptr;
  // The state may show before its event was heard.
  auto seen = rooms.world.see(workspace->id);
  KJ_IF_MAYBE (it, seen) {
    KJ_IF_MAYBE (act, workspace->act) {
      if (it->state == stepOf(act->rule).meanwhile) {
        workspace->use.enter(it->state, now(), WorkspaceUse::By::RULE);
      }
    }
  }
  auto answer = describe(*workspace);
  KJ_IF_MAYBE (it, seen) answer.state = it->state;
  changed(*workspace);
  co_return kj::mv(answer);
}

int64_t ActivityKeeper::announcedPause(kj::StringPtr workspaceId) {
  KJ_IF_MAYBE (workspace, find(workspaceId)) {
    auto& use = workspace->use;
    const auto time = now();
    if (use.state == WorkspaceState::RUNNING && use.isWarned(time)) {
      return nanosOf(KJ_ASSERT_NONNULL(use.due(time)));
    }
  }
  return 0;
}

kj::Promise<ActivityKeeper::TakeOutcome> ActivityKeeper::takeLock(kj::StringPtr workspaceId,
                                                                  WakeLockWish wish) {
  KJ_IF_MAYBE (fault, faultOf(wish)) co_return Invalid{kj::mv(*fault)};
  auto found = findOrTrack(workspaceId);
  if (found == nullptr) co_return Absent();
  auto workspace = kj::addRef(KJ_ASSERT_NONNULL(found));
  if (workspace->use.locks.size() >= rpc::MAX_WAKE_LOCKS) co_return TooMany();
  WakeLockRow row;
  row.id = kj::str(WorkspaceId::generate(rooms.randomness).text());
  row.workspaceId = kj::str(workspaceId);
  row.holder = kj::mv(wish.holder);
  row.reason = kj::mv(wish.reason);
  row.takenNanos = wallNow();
  row.untilNanos = row.takenNanos + static_cast<int64_t>(wish.forMillis) * 1'000'000;
  // It counts from now on: nothing is done to the workspace while it is stored.
  const auto until = now() + static_cast<int64_t>(wish.forMillis) * kj::MILLISECONDS;
  workspace->use.locks.add(WakeLock{row.clone(), until});
  changed(*workspace);
  auto failure = co_await failureOf([&]() { return rows.addLock(row.clone()); });
  KJ_IF_MAYBE (e, failure) {
    dropLock(*workspace, row.id);
    if (!isRowRefused(*e)) kj::throwFatalException(kj::mv(*e));
    co_return Absent();
  }
  KJ_LOG(INFO, "a wake lock is taken", workspace->id, row.id, wish.forMillis, row.holder);
  co_return kj::mv(row);
}

bool ActivityKeeper::dropLock(Tracked& workspace, kj::StringPtr lockId) {
  auto& locks = workspace.use.locks;
  kj::Vector<WakeLock> left;
  for (auto& lock : locks) {
    if (lock.row.id != lockId) left.add(kj::mv(lock));
  }
  const bool had = left.size() < locks.size();
  locks = kj::mv(left);
  if (had) workspace.use.lastLock = now();
  if (!workspace.isGone) changed(workspace);
  return had;
}

kj::Promise<bool> ActivityKeeper::releaseLock(kj::StringPtr workspaceId, kj::StringPtr lockId,
                                              kj::StringPtr actorParam) {
  auto found = find(workspaceId);
  if (found == nullptr) co_return false;
  auto workspace = kj::addRef(KJ_ASSERT_NONNULL(found));
  auto id = kj::str(lockId), actor = kj::str(actorParam);
  bool isThere = false;
  for (auto& lock : workspace->use.locks) isThere = isThere || lock.row.id == id;
  if (!isThere) co_return false;
  co_await rows.dropLock(id).ignoreResult();
  KJ_LOG(INFO, "a wake lock is released", workspace->id, id, actor);
  // It may have ended meanwhile.
  dropLock(*workspace, id);
  co_return true;
}

kj::Promise<ActivityKeeper::ChangeOutcome> ActivityKeeper::changePolicy(
    kj::StringPtr workspaceId, kj::Array<FigureWish> wishes, kj::StringPtr actorParam) {
  for (auto& wish : wishes) {
    KJ_IF_MAYBE (value, wish.value) {
      KJ_IF_MAYBE (fault, bothy::faultOf(wish.figure, *value)) co_return Invalid{kj::mv(*fault)};
    }
  }
  auto found = findOrTrack(workspaceId);
  if (found == nullptr) co_return Absent();
  auto workspace = kj::addRef(KJ_ASSERT_NONNULL(found));
  auto actor = kj::str(actorParam);
  auto& use = workspace->use;
  const auto before = use.overrides;
  auto own = before;
  for (auto& wish : wishes) own.of(wish.figure) = wish.value;
  // At once, so that whatever else is stored of it meanwhile has it.
  use.follow(use.tierPolicy, own, now());
  workspace->stored = rowOf(*workspace);
  auto failure = co_await failureOf([&]() { return rows.put(workspace->stored.clone()); });
  KJ_IF_MAYBE (e, failure) {
    use.follow(use.tierPolicy, before, now());
    if (!workspace->isGone) changed(*workspace);
    if (isRowRefused(*e)) co_return Absent();
    kj::throwFatalException(kj::mv(*e));
  }
  if (own.text() != before.text()) {
    rooms.world.tell(workspace->id, Cause::REQUEST,
                     own.isEmpty() ? kj::str("it has no idle figures of its own any more")
                                   : kj::str("its own idle figures: ", own.text()),
                     actor);
  }
  auto answer = describe(*workspace);
  if (!workspace->isGone) changed(*workspace);
  co_return kj::mv(answer);
}

}  // namespace bothy
