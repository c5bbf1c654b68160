#include "activity/activity-keeper.h"

#include <kj/debug.h>

#include "activity/tracked-workspace.h"
#include "loop/failure-of.h"

namespace bothy {
namespace {

// Of the feed, at a time.
constexpr size_t EVENTS_AT_ONCE = 256;
std::string_view viewOf(kj::StringPtr text) {
  return {text.begin(), text.size()};
}

}  // namespace

class ActivityKeeper::Presence final {
public:
  Presence(Tracked& workspaceParam, Visitor who, kj::TimePoint now)
      : workspace(kj::addRef(workspaceParam)), visit{kj::mv(who), now, {}} {
    workspace->use.visits.add(visit);
  }
  ~Presence() noexcept(false) {
    workspace->use.visits.remove(visit);
    KJ_IF_MAYBE (keeper, workspace->keeper) keeper->left(*workspace);
  }
  KJ_DISALLOW_COPY_AND_MOVE(Presence);

private:
  kj::Own<Tracked> workspace;
  Visit visit;
};

ActivityKeeper::ActivityKeeper(const Rooms& rooms)
    : rooms(rooms), rows(rooms.timer, rooms.store, rooms.events), tasks(*this) {}

ActivityKeeper::~ActivityKeeper() noexcept(false) {
  for (auto& entry : byId) entry.second->keeper = nullptr;
}

void ActivityKeeper::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "a look at a workspace's use failed", exception.getDescription());
}

int64_t ActivityKeeper::nanosOf(kj::TimePoint time) const {
  return wallNow() + (time - now()) / kj::NANOSECONDS;
}

// One of a clock that was set back since is not to come.
kj::TimePoint ActivityKeeper::timeOf(int64_t nanos) const {
  return now() - kj::max(wallNow() - nanos, 0) * kj::NANOSECONDS;
}

// ---------------------------------------------------------------------------------------------
// Which are tracked

kj::Maybe<ActivityKeeper::Tracked&> ActivityKeeper::find(kj::StringPtr id) {
  auto found = byId.find(viewOf(id));
  if (found == byId.end()) return nullptr;
  return *found->second;
}

ActivityKeeper::Tracked& ActivityKeeper::track(kj::StringPtr id, const IdleWorld::Seen& seen) {
  auto tracked = kj::refcounted<Tracked>(id, seen, now());
  tracked->keeper = *this;
  if (seen.sinceNanos != 0) tracked->use.since = timeOf(seen.sinceNanos);
  auto& workspace = *tracked;
  byId.emplace(viewOf(workspace.id), kj::mv(tracked));
  return workspace;
}

kj::Maybe<ActivityKeeper::Tracked&> ActivityKeeper::findOrTrack(kj::StringPtr id) {
  auto seen = rooms.world.see(id);
  KJ_IF_MAYBE (now, seen) {
    KJ_IF_MAYBE (known, find(id)) {
      known->use.follow(now->policy, known->use.overrides, this->now());
      return *known;
    }
    return track(id, *now);
  }
  return nullptr;
}

void ActivityKeeper::dropIfUnused(Tracked& workspace) {
  auto& use = workspace.use;
  if (workspace.isLookedAt || stepFrom(use.state) != nullptr || use.isComingBack() ||
      !use.visits.empty() || !use.locks.empty() || !use.overrides.isEmpty() ||
      workspace.act != nullptr) {
    return;
  }
  forget(workspace);
}

void ActivityKeeper::forget(Tracked& workspace) {
  workspace.isGone = true;
  KJ_IF_MAYBE (when, workspace.scheduled) schedule.erase({*when, &workspace});
  workspace.scheduled = nullptr;
  workspace.keeper = nullptr;
  auto found = byId.find(viewOf(workspace.id));
  // It may be what holds its own id.
  auto last = kj::mv(found->second);
  byId.erase(found);
}

// ---------------------------------------------------------------------------------------------
// What happens to workspaces

kj::Promise<void> ActivityKeeper::follow(uint64_t after) {
  for (RetryPauses pauses(rooms.timer, {});;) {
    co_await rooms.events.beyond(after);
    kj::Maybe<kj::Own<EventLog::Page>> read;
    auto failure = co_await failureOf([&]() {
      return rooms.events.read(after, EVENTS_AT_ONCE).then([&read](kj::Own<EventLog::Page>&& page) {
        read = kj::mv(page);
      });
    });
    if (failure != nullptr) {
      co_await pauses.next();
      continue;
    }
    auto& page = *KJ_ASSERT_NONNULL(read);
    for (auto& event : page.events) hear(event);
    after = kj::max(after, page.through);
    for (auto& event : page.events) after = kj::max(after, event.number);
  }
}

void ActivityKeeper::hear(const EventRecord& event) {
  if (event.gone) {
    KJ_IF_MAYBE (workspace, find(event.workspaceId)) forget(*workspace);
    return;
  }
  // What changes nothing is looked at for its tier, which may be another now.
  const bool isNew = find(event.workspaceId) == nullptr;
  if (isNew && stepFrom(event.after) == nullptr) return;
  auto found = findOrTrack(event.workspaceId);
  if (found == nullptr) return;
  auto& workspace = KJ_ASSERT_NONNULL(found);
  if (event.cause == Cause::GUEST_REBOOTED) workspace.use.reboot();
  if (!event.isNotice()) {
    const bool isRules = event.cause == Cause::IDLE;
    if (!isRules) {
      // A state that somebody else has brought about is no rule's.
      workspace.act = nullptr;
      workspace.whyNot = nullptr;
      workspace.nextTry = RULE_PAUSES;
    }
    for (auto& step : IDLE_STEPS) {
      // Also of a rule that an earlier bothyd has left half-done.
      if (isRules && event.before == step.meanwhile && event.after == step.to &&
          workspace.act.map([](const Tracked::Act& act) { return act.rule; }) != step.rule) {
        workspace.act = Tracked::Act{step.rule, event.timeNanos};
      }
    }
    workspace.use.enter(event.after, now(),
                        isRules ? WorkspaceUse::By::RULE : WorkspaceUse::By::ANYBODY);
  }
  changed(workspace);
}

kj::Own<void> ActivityKeeper::come(kj::StringPtr workspaceId, Visitor who) {
  auto found = findOrTrack(workspaceId);
  if (found == nullptr) return kj::Own<void>();
  auto& workspace = KJ_ASSERT_NONNULL(found);
  auto presence = kj::heap<Presence>(workspace, kj::mv(who), now());
  changed(workspace);
  return kj::mv(presence);
}

void ActivityKeeper::left(Tracked& workspace) {
  workspace.use.lastVisit = now();
  changed(workspace);
}

void ActivityKeeper::changed(Tracked& workspace) {
  if (!isStored(workspace)) store(workspace);
  reschedule(workspace);
  dropIfUnused(workspace);
}

// ---------------------------------------------------------------------------------------------
// What is due

kj::Maybe<kj::TimePoint> ActivityKeeper::nextLook(Tracked& workspace) const {
  auto& use = workspace.use;
  const auto time = now();
  kj::Maybe<kj::TimePoint> first;
  auto consider = [&first](kj::Maybe<kj::TimePoint> when) {
    KJ_IF_MAYBE (w, when) first = kj::min(*w, first.orDefault(*w));
  };
  consider(use.firstLockEnd());
  consider(use.due(time));
  consider(use.warningDue(time));
  KJ_IF_MAYBE (settled, use.settledAt(time)) {
    if (*settled > time) consider(*settled);
  }
  return first;
}

void ActivityKeeper::reschedule(Tracked& workspace) {
  if (workspace.isLookedAt || workspace.isGone) return;
  auto next = nextLook(workspace);
  if (next == workspace.scheduled) return;
  const auto before = schedule.empty() ? nullptr : schedule.begin()->second;
  KJ_IF_MAYBE (when, workspace.scheduled) schedule.erase({*when, &workspace});
  KJ_IF_MAYBE (when, next) schedule.emplace(*when, &workspace);
  workspace.scheduled = next;
  if (schedule.empty()) return;
  if (!isWaiting) {
    isWaiting = true;
    // Not within a call of whoever has changed something.
    timing = kj::evalLater([this]() {
               return lookWhenDue();
             }).eagerlyEvaluate([](kj::Exception&& e) {
      KJ_LOG(FATAL, "no workspace is paused any more because nobody uses it", e.getDescription());
    });
  } else if (schedule.begin()->second != before || before == &workspace) {
    firstChanged.wakeAll();
  }
}

kj::Promise<void> ActivityKeeper::lookWhenDue() {
  KJ_DEFER(isWaiting = false);
  while (!schedule.empty()) {
    auto first = *schedule.begin();
    if (first.first > now()) {
      auto change = firstChanged.wait();
      co_await rooms.timer.atTime(first.first).exclusiveJoin(kj::mv(change));
      continue;
    }
    schedule.erase(schedule.begin());
    first.second->scheduled = nullptr;
    first.second->isLookedAt = true;
    tasks.add(look(kj::addRef(*first.second)));
  }
}

kj::Promise<void> ActivityKeeper::look(kj::Own<Tracked> workspace) {
  ++lookCount;
  endLocks(*workspace);
  auto failure = co_await failureOf([&]() { return lookAtUse(*workspace); });
  KJ_IF_MAYBE (e, failure) {
    KJ_LOG(ERROR, "a look at a workspace's use failed", workspace->id, e->getDescription());
    workspace->use.notBefore = now() + RULE_PAUSES.least;
  }
  workspace->isLookedAt = false;
  if (!workspace->isGone) changed(*workspace);
}

void ActivityKeeper::endLocks(Tracked& workspace) {
  auto& use = workspace.use;
  const auto time = now();
  kj::Vector<WakeLock> left;
  for (auto& lock : use.locks) {
    if (lock.until > time) {
      left.add(kj::mv(lock));
      continue;
    }
    use.lastLock = kj::max(lock.until, use.lastLock.orDefault(lock.until));
    KJ_LOG(INFO, "a wake lock is over", workspace.id, lock.row.id);
    rows.removeLock(lock.row.id);
  }
  use.locks = kj::mv(left);
}

kj::Promise<void> ActivityKeeper::lookAtUse(Tracked& workspace) {
  auto& use = workspace.use;
  KJ_IF_MAYBE (seen, rooms.world.see(workspace.id)) {
    use.follow(seen->policy, use.overrides, now());
  }
  auto isReached = [this](kj::Maybe<kj::TimePoint> when) {
    return when.map([this](kj::TimePoint w) { return w <= now(); }).orDefault(false);
  };
  auto isTimely = [&]() { return isReached(use.due(now())) || isReached(use.warningDue(now())); };
  if (!isTimely()) co_return;
  if (use.state == WorkspaceState::RUNNING) {
    auto turn = co_await asking.take();
    auto told = co_await rooms.world.askGuest(workspace.id);
    turn = nullptr;
    if (use.state == WorkspaceState::RUNNING) use.hear(kj::mv(told), now());
  }
  if (workspace.isGone) co_return;
  if (isReached(use.due(now()))) {
    co_await carryOut(workspace, KJ_ASSERT_NONNULL(stepFrom(use.state)));
  } else if (isReached(use.warningDue(now()))) {
    auto& step = KJ_ASSERT_NONNULL(stepFrom(use.state));
    const auto left = KJ_ASSERT_NONNULL(use.due(now())) - now();
    rooms.world.tell(workspace.id, Cause::IDLE_WARNING,
                     kj::str("nobody uses it: in ", left / kj::SECONDS, " s ", nameOf(step.rule),
                             " ", step.what),
                     nullptr);
    use.noteWarning(now());
  }
}

bool ActivityKeeper::isStillDue(const Tracked& workspace, const IdleStep& step) const {
  auto& use = workspace.use;
  if (workspace.isGone || use.state != step.from) return false;
  return use.due(now()).map([this](kj::TimePoint when) { return when <= now(); }).orDefault(false);
}

kj::Promise<void> ActivityKeeper::carryOut(Tracked& workspace, const IdleStep& step) {
  kj::Maybe<kj::Own<Slots::Slot>> turn;
  if (step.rule == IdleRule::HIBERNATE) turn = co_await hibernating.take();
  if (!isStillDue(workspace, step)) co_return;
  // Before it is done, so that whoever asks afterwards is told, over a kill too.
  const auto before = workspace.act;
  workspace.act = Tracked::Act{step.rule, wallNow()};
  auto stored = kj::mv(workspace.stored);
  workspace.stored = rowOf(workspace);
  auto failure = co_await failureOf([&]() { return rows.put(workspace.stored.clone()); });
  KJ_IF_MAYBE (e, failure) {
    workspace.act = before;
    workspace.stored = kj::mv(stored);
    kj::throwFatalException(kj::mv(*e));
  }
  const auto after = workspace.use.policy().*memberOf(step.after);
  auto done = co_await rooms.world.carryOut(
      step.rule, workspace.id, kj::str(step.since, " for ", after, " s (", nameOf(step.rule), ")"),
      [known = kj::addRef(workspace), &step]() {
        return known->keeper
            .map([&](const ActivityKeeper& keeper) { return keeper.isStillDue(*known, step); })
            .orDefault(false);
      });
  if (done.kind != IdleWorld::Done::YES) {
    // Unless somebody else has brought it elsewhere.
    workspace.act = nullptr;
    KJ_IF_MAYBE (seen, rooms.world.see(workspace.id)) {
      if (seen->state == step.from) workspace.act = before;
    }
  }
  carriedOut(workspace, step, kj::mv(done));
}

void ActivityKeeper::carriedOut(Tracked& workspace, const IdleStep& step, IdleWorld::Done done) {
  auto& use = workspace.use;
  workspace.whyNot = nullptr;
  auto seen = rooms.world.see(workspace.id);
  if (done.kind == IdleWorld::Done::NOT_DUE || seen == nullptr) return;
  // Its events may be heard later.
  const auto state = KJ_ASSERT_NONNULL(seen).state;
  if (done.kind == IdleWorld::Done::YES) {
    use.enter(state, now());
    workspace.nextTry = RULE_PAUSES;
    return;
  }
  if (state != step.from) return;
  use.enter(state, now(), WorkspaceUse::By::RULE);
  use.notBefore = now() + workspace.nextTry.least;
  workspace.nextTry.least = kj::min(2 * workspace.nextTry.least, workspace.nextTry.most);
  KJ_LOG(WARNING, "a rule came to nothing, and is tried again", workspace.id, nameOf(step.rule),
         done.why);
  workspace.whyNot = kj::mv(done.why);
}

}  // namespace bothy
