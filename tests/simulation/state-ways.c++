#include "simulation/state-ways.h"

#include <initializer_list>

namespace bothy {

bool isWay(const EventRecord& event, kj::Maybe<const OperationRow&> before) {
  using S = WorkspaceState;
  auto isOneOf = [&](std::initializer_list<S> states) {
    for (auto state : states) {
      if (event.after == state) return true;
    }
    return event.isNotice() || event.gone || event.after == S::DELETING;
  };
  bool mayBe = false;
  switch (event.before) {
    case S::CREATING:
      mayBe = isOneOf({S::STARTING, S::STOPPED});
      KJ_IF_MAYBE (operation, before) {
        const bool isToStart = operation->parameters.size() > 0;
        if (event.after == (isToStart ? S::STOPPED : S::STARTING)) mayBe = false;
        // One that is made anew has a name and a user, and loses neither.
        if (operation->parameters == "again") mayBe = isOneOf({S::STARTING, S::EXPIRING});
      }
      break;
    case S::STOPPED:
    case S::FAILED:
      mayBe = isOneOf({S::STARTING, S::RESIZING, S::EXPIRING});
      break;
    case S::STARTING:
      mayBe = isOneOf({S::RUNNING, S::FAILED, S::STOPPING});
      break;
    case S::RUNNING:
    case S::PAUSED:
      mayBe = isOneOf({S::STOPPING, S::STOPPED, S::FAILED, S::STARTING, S::HIBERNATING,
                       event.before == S::PAUSED ? S::RESUMING : S::PAUSING});
      break;
    case S::PAUSING:
      mayBe = isOneOf({S::RUNNING, S::PAUSED, S::STOPPING, S::STOPPED});
      break;
    case S::RESUMING:
      // Where its memory is lost it starts.
      mayBe = isOneOf({S::RUNNING, S::PAUSED, S::STOPPING, S::STOPPED, S::HIBERNATED}) ||
              (event.after == S::STARTING && event.cause == Cause::MEMORY_LOST);
      break;
    case S::HIBERNATED:
      mayBe = isOneOf({S::RESUMING, S::STOPPING, S::EXPIRING});
      break;
    case S::HIBERNATING:
      mayBe = isOneOf({S::HIBERNATED, S::RUNNING, S::PAUSED, S::STOPPING, S::STOPPED});
      break;
    case S::STOPPING:
    case S::RESIZING:
      mayBe = isOneOf({S::STOPPED});
      break;
    case S::EXPIRING:
      mayBe = isOneOf({S::EXPIRED});
      break;
    case S::EXPIRED:
      mayBe = isOneOf({S::CREATING});
      break;
    case S::DELETING:
      mayBe = isOneOf({});
      break;
  }
  return mayBe;
}

}  // namespace bothy
