// What clients ask of an ActivityKeeper.

#include <kj/debug.h>

#include "activity/tracked-workspace.h"
#include "loop/failure-of.h"
#include "workspace/workspace-id.h"

namespace bothy {

Wakefulness ActivityKeeper::describe(Tracked& workspace) const {
  auto told = bothy::describe(workspace.use, now(), wallNow());
  KJ_IF_MAYBE (act, workspace.act) {
    if (workspace.use.state == stepOf(act->rule).to) {
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
  auto answer = describe(*workspace);
  KJ_IF_MAYBE (seen, rooms.world.see(workspace->id)) answer.state = seen->state;
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
  KJ_LOG(INFO, "a wake lock is taken", workspace->id, row.id, wish.forMillis);
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

kj::Promise<bool> ActivityKeeper::releaseLock(kj::StringPtr workspaceId, kj::StringPtr lockId) {
  auto found = find(workspaceId);
  if (found == nullptr) co_return false;
  auto workspace = kj::addRef(KJ_ASSERT_NONNULL(found));
  auto id = kj::str(lockId);
  bool isThere = false;
  for (auto& lock : workspace->use.locks) isThere = isThere || lock.row.id == id;
  if (!isThere) co_return false;
  co_await rows.dropLock(id).ignoreResult();
  // It may have ended meanwhile.
  dropLock(*workspace, id);
  co_return true;
}

kj::Promise<ActivityKeeper::ChangeOutcome> ActivityKeeper::changePolicy(
    kj::StringPtr workspaceId, kj::Array<FigureWish> wishes) {
  for (auto& wish : wishes) {
    KJ_IF_MAYBE (value, wish.value) {
      KJ_IF_MAYBE (fault, bothy::faultOf(wish.figure, *value)) co_return Invalid{kj::mv(*fault)};
    }
  }
  auto found = findOrTrack(workspaceId);
  if (found == nullptr) co_return Absent();
  auto workspace = kj::addRef(KJ_ASSERT_NONNULL(found));
  const auto before = workspace->use.overrides;
  // At once, so that whatever else is stored of it meanwhile has it.
  for (auto& wish : wishes) workspace->use.overrides.of(wish.figure) = wish.value;
  workspace->stored = rowOf(*workspace);
  auto failure = co_await failureOf([&]() { return rows.put(workspace->stored.clone()); });
  KJ_IF_MAYBE (e, failure) {
    workspace->use.overrides = before;
    if (!workspace->isGone) changed(*workspace);
    if (isRowRefused(*e)) co_return Absent();
    kj::throwFatalException(kj::mv(*e));
  }
  auto answer = describe(*workspace);
  if (!workspace->isGone) changed(*workspace);
  co_return kj::mv(answer);
}

}  // namespace bothy
