// What the store has of a workspace, and the events of its changes.

#include <kj/debug.h>

#include <iterator>

#include "workspace/steps.h"
#include "workspace/workspace.h"

namespace bothy {
namespace {

// What happens to one workspace while the store refuses everything.  Changes of its state are few and always kept.
constexpr size_t MOST_UNSTORED = 64;

}  // namespace

EventRecord Workspace::event(Cause cause, kj::StringPtr detail) {
  EventRecord result;
  result.timeNanos = nanosOf(world.clock.now());
  result.workspace = kj::str(record.name);
  result.workspaceId = kj::str(record.id);
  result.cause = cause;
  result.detail = kj::str(detail);
  return result;
}

Workspace::Rows Workspace::changed(Happening happening, kj::StringPtr detail) {
  Rows next{record.clone(), machineRecord.clone()};
  KJ_IF_MAYBE (state, stateAfter(record.state, happening)) {
    next.row.state = *state;
  } else {
    KJ_FAIL_REQUIRE("a workspace's state does not allow this", record.id, record.state,
                    static_cast<int>(happening));
  }
  next.row.failure = next.row.state == WorkspaceState::FAILED ? kj::str(detail) : nullptr;
  if (!mayRun(next.row.state)) next.machine.secret = nullptr;
  if (next.row.state != WorkspaceState::RUNNING) next.machine.agentVersion = nullptr;
  if (next.row.state != WorkspaceState::RESIZING) next.row.wantedDiskMib = 0;
  next.row.rebooting = happening == Happening::GUEST_REBOOTED;
  return next;
}

kj::Promise<void> Workspace::commit(Change change) {
  auto committed = co_await world.store.commit(kj::mv(change));
  world.events.reached(committed.lastEvent);
}

kj::Promise<void> Workspace::transition(Happening happening, Cause cause, kj::String detail) {
  co_await catchUp();
  auto next = changed(happening, detail);
  co_await transitionTo(kj::mv(next), cause, kj::mv(detail));
}

kj::Promise<void> Workspace::transitionTo(Rows next, Cause cause, kj::String detail) {
  auto told = event(cause, detail);
  told.before = record.state;
  told.after = next.row.state;
  Change change;
  change.update(next.row.clone());
  if (isMachineUnstored || next.machine.secret.asPtr() != machineRecord.secret.asPtr() ||
      next.machine.agentVersion != machineRecord.agentVersion) {
    change.update(next.machine.clone());
  }
  change.tell(kj::mv(told));
  co_await commit(kj::mv(change));
  auto &workspace = record.name, &id = record.id;
  auto before = record.state, after = next.row.state;
  KJ_LOG(INFO, "state", workspace, id, before, after, cause, detail);
  record = kj::mv(next.row);
  machineRecord = kj::mv(next.machine);
  isMachineUnstored = false;
  storedState = record.state;
}

void Workspace::transitionAnyway(Happening happening, Cause cause, kj::StringPtr detail) {
  auto next = changed(happening, detail);
  auto told = event(cause, detail);
  told.after = next.row.state;
  auto &workspace = record.name, &id = record.id;
  auto before = record.state, after = next.row.state;
  KJ_LOG(INFO, "state", workspace, id, before, after, cause, detail);
  record = next.row.clone();
  machineRecord = next.machine.clone();
  postpone(kj::mv(next), kj::mv(told));
}

kj::Promise<Workspace::Turn> Workspace::settle(Happening happening, Cause cause,
                                               kj::String detail) {
  for (RetryPauses pauses(world);;) {
    kj::Maybe<kj::Exception> failure;
    try {
      auto turn = co_await turns->take();
      co_await transition(happening, cause, kj::str(detail));
      co_return kj::mv(turn);
    } catch (...) {
      failure = kj::getCaughtExceptionAsKj();
    }
    KJ_LOG(ERROR, "the end of an operation could not be stored yet; trying again", record.name,
           record.id, KJ_ASSERT_NONNULL(failure).getDescription());
    co_await pauses.next();
  }
}

void Workspace::postpone(kj::Maybe<Rows> rows, EventRecord event) {
  unstored.push_back({kj::mv(rows), kj::mv(event)});
  if (isStoring) return;
  isStoring = true;
  storing = keepStoring().eagerlyEvaluate([this](kj::Exception&& e) {
    KJ_LOG(ERROR, "what happened to a workspace is not stored any more", record.name, record.id,
           e.getDescription());
  });
}

kj::Promise<void> Workspace::catchUp() {
  while (!unstored.empty()) {
    // Others may add to those that wait, and count in them, meanwhile.
    auto first = kj::mv(unstored.front());
    unstored.pop_front();
    Change change;
    first.event.before = storedState;
    KJ_IF_MAYBE (rows, first.rows) {
      change.update(rows->row.clone()).update(rows->machine.clone());
    } else {
      first.event.after = storedState;
    }
    const auto after = first.event.after;
    change.tell(first.event.clone());
    kj::Maybe<kj::Exception> failure;
    try {
      co_await commit(kj::mv(change));
    } catch (...) {
      failure = kj::getCaughtExceptionAsKj();
    }
    KJ_IF_MAYBE (e, failure) {
      unstored.push_front(kj::mv(first));
      kj::throwFatalException(kj::mv(*e));
    }
    storedState = after;
  }
}

kj::Promise<void> Workspace::keepStoring() {
  KJ_DEFER(isStoring = false);
  for (RetryPauses pauses(world); !unstored.empty();) {
    kj::Maybe<kj::Exception> failure;
    try {
      auto turn = co_await turns->take();
      co_await catchUp();
    } catch (...) {
      failure = kj::getCaughtExceptionAsKj();
    }
    KJ_IF_MAYBE (e, failure) {
      KJ_LOG(ERROR, "what happened to a workspace could not be stored yet; trying again",
             record.name, record.id, unstored.size(), e->getDescription());
      co_await pauses.next();
    }
  }
}

void Workspace::append(Cause cause, kj::StringPtr detail) {
  if (isGone) return;
  for (auto earlier = unstored.rbegin(); earlier != unstored.rend() && earlier->rows == nullptr;
       ++earlier) {
    if (earlier->event.cause != cause || earlier->event.detail != detail) continue;
    // As the store does it: it is told behind what came meanwhile, for it is what is true now.
    auto& told = earlier->event;
    if (told.firstNanos == 0) told.firstNanos = told.timeNanos;
    told.timeNanos = nanosOf(world.clock.now());
    told.count++;
    unstored.splice(unstored.end(), unstored, std::prev(earlier.base()));
    return;
  }
  if (unstored.size() >= MOST_UNSTORED) {
    KJ_LOG(ERROR, "an event is dropped: too many wait to be stored", record.name, cause);
    return;
  }
  postpone(nullptr, event(cause, detail));
}

void Workspace::note(Cause cause, kj::StringPtr detail) {
  KJ_LOG(WARNING, "workspace", record.name, record.id, cause, detail);
  append(cause, detail);
}

}  // namespace bothy
