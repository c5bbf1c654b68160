#include "activity/activity-store.h"

#include <kj/debug.h>

#include "loop/failure-of.h"

namespace bothy {

void ActivityStore::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "what is known of a workspace's use is not stored", exception.getDescription());
}

kj::Promise<void> ActivityStore::commit(Change change) {
  auto committed = co_await store.commit(kj::mv(change));
  events.reached(committed.lastEvent);
}

void ActivityStore::keep(ActivityRow row) {
  KJ_IF_MAYBE (waiting, wanted.find(row.workspaceId)) {
    *waiting = kj::mv(row);
    return;
  }
  auto id = kj::str(row.workspaceId);
  wanted.insert(kj::str(id), kj::mv(row));
  tasks.add(keepStoring(kj::mv(id)));
}

kj::Promise<void> ActivityStore::keepStoring(kj::String workspaceId) {
  KJ_DEFER(wanted.erase(workspaceId));
  for (RetryPauses pauses(timer, {});;) {
    auto& waiting = KJ_ASSERT_NONNULL(wanted.find(workspaceId));
    if (waiting == nullptr) co_return;
    auto row = kj::mv(KJ_ASSERT_NONNULL(waiting));
    waiting = nullptr;
    auto failure = co_await failureOf([&]() { return commit(kj::mv(Change().put(row.clone()))); });
    KJ_IF_MAYBE (e, failure) {
      if (isRowRefused(*e)) continue;
      KJ_LOG(ERROR, "what is known of a workspace's use could not be stored yet; trying again",
             workspaceId, e->getDescription());
      auto& next = KJ_ASSERT_NONNULL(wanted.find(workspaceId));
      if (next == nullptr) next = kj::mv(row);
      co_await pauses.next();
    }
  }
}

void ActivityStore::removeLock(kj::StringPtr id) {
  tasks.add(keepRemoving(kj::str(id)));
}

kj::Promise<void> ActivityStore::keepRemoving(kj::String lockId) {
  for (RetryPauses pauses(timer, {});;) {
    auto failure =
        co_await failureOf([&]() { return commit(kj::mv(Change().removeWakeLock(lockId))); });
    if (failure == nullptr || isRowRefused(KJ_ASSERT_NONNULL(failure))) co_return;
    co_await pauses.next();
  }
}

kj::Promise<void> ActivityStore::put(ActivityRow row) {
  // What is still to be written would be written after it.
  KJ_IF_MAYBE (waiting, wanted.find(row.workspaceId)) *waiting = row.clone();
  return commit(kj::mv(Change().put(kj::mv(row))));
}

kj::Promise<void> ActivityStore::addLock(WakeLockRow row) {
  return commit(kj::mv(Change().add(kj::mv(row))));
}

kj::Promise<bool> ActivityStore::dropLock(kj::StringPtr id) {
  auto failure = co_await failureOf([&]() { return commit(kj::mv(Change().removeWakeLock(id))); });
  KJ_IF_MAYBE (e, failure) {
    if (isRowRefused(*e)) co_return false;
    kj::throwFatalException(kj::mv(*e));
  }
  co_return true;
}

}  // namespace bothy
