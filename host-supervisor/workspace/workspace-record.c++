// What the store has of a workspace, and the events of its changes.

#include <kj/debug.h>

#include "workspace/steps.h"
#include "workspace/workspace.h"

namespace bothy {
namespace {

// What happens to one workspace while the store refuses everything.  Changes of its state are few and always kept.
constexpr size_t MOST_UNSTORED = 64;

}  // namespace

EventRecord Workspace::event(WorkspaceState after, Cause cause, kj::StringPtr detail) {
  EventRecord result;
  result.timeNanos = nanosOf(world.clock.now());
  result.workspace = kj::str(record.name);
  result.workspaceId = kj::str(record.id);
  result.before = record.state;
  result.after = after;
  result.cause = cause;
  result.detail = kj::str(detail);
  return result;
}

WorkspaceRow Workspace::changed(Happening happening, kj::StringPtr detail) {
  auto next = record.clone();
  KJ_IF_MAYBE (state, stateAfter(record.state, happening)) {
    next.state = *state;
  } else {
    KJ_FAIL_REQUIRE("a workspace's state does not allow this", record.id, record.state,
                    static_cast<int>(happening));
  }
  next.failure = next.state == WorkspaceState::FAILED ? kj::str(detail) : nullptr;
  if (!mayRun(next.state)) next.secret = nullptr;
  if (next.state != WorkspaceState::RUNNING) next.agentVersion = nullptr;
  if (next.state != WorkspaceState::RESIZING) next.wantedDiskMib = 0;
  next.rebooting = happening == Happening::GUEST_REBOOTED;
  return next;
}

void Workspace::transition(Happening happening, Cause cause, kj::StringPtr detail) {
  catchUp();
  auto next = changed(happening, detail);
  auto told = event(next.state, cause, detail);
  world.store.update(next, told);
  auto &workspace = record.name, &id = record.id;
  auto before = record.state, after = next.state;
  KJ_LOG(INFO, "state", workspace, id, before, after, cause, detail);
  record = kj::mv(next);
  world.events.grew();
}

void Workspace::transitionAnyway(Happening happening, Cause cause, kj::StringPtr detail) {
  KJ_IF_MAYBE (e, kj::runCatchingExceptions([&]() { transition(happening, cause, detail); })) {
    KJ_LOG(ERROR, "the state of a workspace could not be stored yet; trying again", record.name,
           record.id, e->getDescription());
    auto next = changed(happening, detail);
    auto told = event(next.state, cause, detail);
    record = next.clone();
    postpone(kj::mv(next), kj::mv(told));
  }
}

kj::Promise<void> Workspace::settle(Happening happening, Cause cause, kj::String detail) {
  for (RetryPauses pauses(world);;) {
    KJ_IF_MAYBE (e, kj::runCatchingExceptions([&]() { transition(happening, cause, detail); })) {
      KJ_LOG(ERROR, "the end of an operation could not be stored yet; trying again", record.name,
             record.id, e->getDescription());
    } else {
      co_return;
    }
    co_await pauses.next();
  }
}

void Workspace::postpone(WorkspaceRow row, EventRecord event) {
  unstored.push_back({kj::mv(row), kj::mv(event)});
  if (unstored.size() == 1) storing = keepStoring().eagerlyEvaluate(nullptr);
}

void Workspace::catchUp() {
  while (!unstored.empty()) {
    auto& first = unstored.front();
    world.store.update(first.row, first.event);
    unstored.pop_front();
    world.events.grew();
  }
}

kj::Promise<void> Workspace::keepStoring() {
  for (RetryPauses pauses(world); !unstored.empty();) {
    co_await pauses.next();
    KJ_IF_MAYBE (e, kj::runCatchingExceptions([&]() { catchUp(); })) {
      KJ_LOG(ERROR, "what happened to a workspace could not be stored yet; trying again",
             record.name, record.id, unstored.size(), e->getDescription());
    }
  }
}

void Workspace::append(Cause cause, kj::StringPtr detail) {
  auto told = event(record.state, cause, detail);
  KJ_IF_MAYBE (e, kj::runCatchingExceptions([&]() {
                 catchUp();
                 world.store.append(told);
               })) {
    bool isKept = unstored.size() < MOST_UNSTORED;
    KJ_LOG(ERROR, "an event could not be stored yet", record.name, cause, isKept,
           e->getDescription());
    if (isKept) postpone(record.clone(), kj::mv(told));
    return;
  }
  world.events.grew();
}

void Workspace::note(Cause cause, kj::StringPtr detail) {
  KJ_LOG(WARNING, "workspace", record.name, record.id, cause, detail);
  append(cause, detail);
}

}  // namespace bothy
