#include "activity/workspace-idle-world.h"

#include <kj/debug.h>

namespace bothy {
namespace {

// What else can come of all of them.
template <typename Outcome>
kj::String whyNot(const Outcome& outcome) {
  if (outcome.template is<Superseded>()) return kj::str("something else was wanted of it");
  KJ_IF_MAYBE (underway, outcome.template tryGet<Underway>()) {
    return kj::str("it takes long: ", underway->why);
  }
  return kj::str("something else is under way");
}

// Why nothing has come of it; none: it is done.
kj::Promise<kj::Maybe<kj::String>> tryTo(IdleRule rule, Workspace& workspace, kj::StringPtr actor,
                                         Workspace::ByRule byRule) {
  switch (rule) {
    case IdleRule::PAUSE: {
      auto outcome = co_await workspace.pause(actor, kj::mv(byRule));
      if (outcome.is<Workspace::Paused>()) co_return nullptr;
      KJ_IF_MAYBE (not_, outcome.tryGet<Workspace::NotPaused>()) co_return kj::mv(not_->why);
      co_return whyNot(outcome);
    }
    case IdleRule::HIBERNATE: {
      auto outcome = co_await workspace.hibernate(actor, kj::mv(byRule));
      if (outcome.is<Workspace::Hibernated>()) co_return nullptr;
      KJ_IF_MAYBE (not_, outcome.tryGet<Workspace::NotHibernated>()) co_return kj::mv(not_->why);
      KJ_IF_MAYBE (shortage, outcome.tryGet<Shortage>()) co_return kj::mv(shortage->why);
      co_return whyNot(outcome);
    }
    case IdleRule::EXPIRE: {
      auto outcome = co_await workspace.expire(actor, kj::mv(byRule));
      if (outcome.is<Workspace::Expired>()) co_return nullptr;
      co_return whyNot(outcome);
    }
  }
  KJ_UNREACHABLE;
}

}  // namespace

kj::Maybe<IdleWorld::Seen> WorkspaceIdleWorld::see(kj::StringPtr id) {
  return manager.viewById(id).map([this](const WorkspaceView& view) {
    Seen seen{view.state, defaultPolicy, 0};
    if (view.state == WorkspaceState::PAUSED) seen.sinceNanos = view.pausedNanos;
    if (view.state == WorkspaceState::HIBERNATED) seen.sinceNanos = view.sleep.sinceNanos;
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
  auto& row = KJ_ASSERT_NONNULL(found)->row();
  use.isSettingUp = row.setupDone < row.setupSteps && row.setupFailure.size() == 0;
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
    use.wakes = told->wakes;
    use.lastWake = told->lastWake;
    use.wakeUid = told->wakeUid;
    use.wakeLabel = kj::str(told->wakeLabel);
    use.wakeUntil = told->wakeUntil;
  }
  co_return use;
}

void WorkspaceIdleWorld::tell(kj::StringPtr id, Cause cause, kj::StringPtr detail,
                              kj::StringPtr actor) {
  KJ_IF_MAYBE (workspace, manager.byId(id)) (*workspace)->tell(cause, detail, actor);
}

kj::Promise<IdleWorld::Done> WorkspaceIdleWorld::carryOut(IdleRule rule, kj::StringPtr id,
                                                          kj::String detail,
                                                          kj::Function<bool()> isStillDue) {
  auto found = manager.byId(id);
  if (found == nullptr) co_return Done{Done::NOT_DUE};
  auto workspace = kj::mv(KJ_ASSERT_NONNULL(found));
  // It is taken over first.
  if (workspace->unreachable().size() > 0) {
    co_return Done{Done::NO, kj::str(workspace->unreachable())};
  }
  bool wasDue = true;
  Workspace::ByRule byRule{kj::mv(detail),
                           [&wasDue, &isStillDue]() { return wasDue = isStillDue(); }};
  auto actor = kj::str("rule ", nameOf(rule));
  auto why = co_await tryTo(rule, *workspace, actor, kj::mv(byRule));
  if (why == nullptr) co_return Done{Done::YES};
  if (!wasDue) co_return Done{Done::NOT_DUE};
  co_return Done{Done::NO, kj::mv(KJ_ASSERT_NONNULL(why))};
}

}  // namespace bothy
