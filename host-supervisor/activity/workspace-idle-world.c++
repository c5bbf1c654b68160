#include "activity/workspace-idle-world.h"

#include <kj/debug.h>

namespace bothy {

kj::Maybe<IdleWorld::Seen> WorkspaceIdleWorld::see(kj::StringPtr id) {
  return manager.viewById(id).map([this](const WorkspaceView& view) {
    Seen seen{view.state, defaultPolicy};
    KJ_IF_MAYBE (tier, manager.tiers().find(view.tier)) seen.policy = tier->idle;
    return seen;
  });
}

void WorkspaceIdleWorld::forEachIn(WorkspaceState state,
                                   kj::FunctionParam<void(kj::StringPtr id)> act) {
  ListQuery query;
  query.states = listBit(state);
  kj::String after;
  for (;;) {
    query.after = after;
    auto page = manager.list(query);
    for (auto& workspace : page.workspaces) act(workspace.id);
    if (page.next.size() == 0) return;
    after = kj::str(page.next);
  }
}

kj::Promise<uint32_t> WorkspaceIdleWorld::earlierLanes(Machine& machine) {
  auto control = co_await machine.control();
  auto response = co_await control.lanesRequest().send();
  const uint64_t ours = (timer.now() - begin) / kj::MILLISECONDS;
  uint32_t count = 0;
  for (auto lane : response.getLanes()) {
    if (lane.getPurpose() != rpc::Purpose::CONTROL && lane.getAgeMillis() > ours) ++count;
  }
  co_return count;
}

kj::Promise<GuestUse> WorkspaceIdleWorld::askGuest(kj::StringPtr id) {
  GuestUse use;
  auto found = manager.byId(id);
  if (found == nullptr) co_return use;
  auto running = KJ_ASSERT_NONNULL(found)->machine();
  if (running == nullptr) co_return use;
  auto& machine = *KJ_ASSERT_NONNULL(running);
  if (machine.mayHaveEarlierLanes()) {
    co_await timer.timeoutAfter(GUEST_ANSWER_LIMIT, earlierLanes(machine))
        .then([&use](uint32_t count) { use.earlierLanes = count; },
              [&use](kj::Exception&&) { use.isAnswered = false; });
  }
  KJ_IF_MAYBE (told, machine.activity()) {
    use.lastInput = told->lastInput;
    use.commands = told->commands;
    use.lastCommand = told->lastCommand;
  }
  co_return use;
}

void WorkspaceIdleWorld::tell(kj::StringPtr id, Cause cause, kj::StringPtr detail) {
  KJ_IF_MAYBE (workspace, manager.byId(id)) (*workspace)->tell(cause, detail);
}

kj::Promise<IdleWorld::Done> WorkspaceIdleWorld::carryOut(IdleRule rule, kj::StringPtr id,
                                                          kj::String detail,
                                                          kj::Function<bool()> isStillDue) {
  auto found = manager.byId(id);
  if (found == nullptr) co_return Done::NOT_DUE;
  auto workspace = kj::mv(KJ_ASSERT_NONNULL(found));
  // It is taken over first.
  if (workspace->unreachable().size() > 0) co_return Done::NO;
  switch (rule) {
    case IdleRule::PAUSE: {
      bool wasDue = true;
      auto ask = [&wasDue, &isStillDue]() { return wasDue = isStillDue(); };
      auto actor = kj::str("rule ", nameOf(rule));
      auto outcome = co_await workspace->pause(actor, Workspace::IdlePause{kj::mv(detail), ask});
      if (outcome.is<Workspace::Paused>()) co_return Done::YES;
      co_return wasDue ? Done::NO : Done::NOT_DUE;
    }
  }
  KJ_UNREACHABLE;
}

}  // namespace bothy
