#pragma once

#include <kj/map.h>

#include "loop/retry-pauses.h"
#include "workspace/event-log.h"

namespace bothy {

// Rows of what is known of workspaces' use, on their way to the store.  What was wanted last is what is stored in the end: a store that is away is
// asked again, one that refuses (the workspace is gone) is not.
class ActivityStore final: private kj::TaskSet::ErrorHandler {
public:
  // All outlive it.
  ActivityStore(kj::Timer& timer, Store& store, EventLog& events)
      : timer(timer), store(store), events(events), tasks(*this) {}
  KJ_DISALLOW_COPY_AND_MOVE(ActivityStore);

  // In the background.
  void keep(ActivityRow row);
  void removeLock(kj::StringPtr id);
  // Fails where the store refuses.
  kj::Promise<void> put(ActivityRow row);
  kj::Promise<void> addLock(WakeLockRow row);
  // Whether there is one.
  kj::Promise<bool> dropLock(kj::StringPtr id);

  bool isIdle() { return wanted.size() == 0 && tasks.isEmpty(); }

private:
  kj::Timer& timer;
  Store& store;
  EventLog& events;
  // By workspace: what is to be stored next, or nothing, while a write is under way.
  kj::HashMap<kj::String, kj::Maybe<ActivityRow>> wanted;
  kj::TaskSet tasks;

  kj::Promise<void> commit(Change change);
  kj::Promise<void> keepStoring(kj::String workspaceId);
  kj::Promise<void> keepRemoving(kj::String lockId);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
