// What an ActivityKeeper stores, and what it makes of what it finds.

#include <kj/debug.h>

#include "activity/tracked-workspace.h"

namespace bothy {
namespace {

// Two times of a clock that is set a little are the same.
constexpr int64_t SAME_NANOS = 1'000'000'000;

bool areSame(int64_t a, int64_t b) {
  return a == b || (a != 0 && b != 0 && a - b < SAME_NANOS && b - a < SAME_NANOS);
}

}  // namespace

void ActivityKeeper::enter(kj::Array<ActivityRow> activities, kj::Array<WakeLockRow> locks) {
  const auto begin = now();
  const auto wall = wallNow();
  for (auto& step : IDLE_STEPS) {
    rooms.world.forEachIn(step.from, [&](kj::StringPtr id) { findOrTrack(id); });
  }
  for (auto& row : activities) {
    KJ_IF_MAYBE (workspace, findOrTrack(row.workspaceId)) {
      auto& use = workspace->use;
      use.overrides = IdleOverrides::parse(row.overrides);
      KJ_IF_MAYBE (rule, idleRule(row.rule)) {
        if (stepOf(*rule).to == use.state) workspace->act = Tracked::Act{*rule, row.ruleNanos};
      }
      if (row.warnedNanos != 0) use.noteWarning(timeOf(row.warnedNanos), begin);
      if (use.state == WorkspaceState::RUNNING) {
        if (row.idleNanos != 0) use.since = timeOf(row.idleNanos);
        if (row.hostNanos != 0) use.hostSince = timeOf(row.hostNanos);
      }
      workspace->stored = kj::mv(row);
    }
  }
  for (auto& row : locks) {
    KJ_IF_MAYBE (workspace, findOrTrack(row.workspaceId)) {
      // A clock that was set back makes it no longer.
      const auto left = kj::min(row.untilNanos - wall, row.untilNanos - row.takenNanos);
      auto until = begin + left * kj::NANOSECONDS;
      workspace->use.locks.add(WakeLock{kj::mv(row), until});
    }
  }
  for (auto& entry : byId) {
    auto& use = entry.second->use;
    const auto policy = use.policy();
    use.notBefore = begin + kj::max(policy.sessionGrace, policy.warnBefore) * kj::SECONDS;
    reschedule(*entry.second);
  }
  following = follow(rooms.events.newest()).eagerlyEvaluate([](kj::Exception&& e) {
    KJ_LOG(FATAL, "events are followed no more: no workspace is paused because nobody uses it",
           e.getDescription());
  });
}

// Of one that runs and that nothing keeps awake; and not before that has lasted, since most of those who leave come back at once.
ActivityRow ActivityKeeper::rowOf(Tracked& workspace) const {
  auto& use = workspace.use;
  ActivityRow row;
  row.workspaceId = kj::str(workspace.id);
  row.overrides = use.overrides.text();
  KJ_IF_MAYBE (act, workspace.act) {
    row.rule = kj::str(nameOf(act->rule));
    row.ruleNanos = act->nanos;
  }
  if (use.state == WorkspaceState::RUNNING) {
    const auto time = now();
    KJ_IF_MAYBE (settled, use.settledAt(time)) {
      if (*settled <= time) {
        row.idleNanos = nanosOf(KJ_ASSERT_NONNULL(use.lastUse(time)));
        row.hostNanos = nanosOf(use.guestBound(time) - use.policy().mostGuestWake * kj::SECONDS);
      }
    }
  }
  KJ_IF_MAYBE (step, stepFrom(use.state)) {
    if (isWarnedFirst(*step)) {
      KJ_IF_MAYBE (warned, use.lastWarning()) row.warnedNanos = nanosOf(*warned);
    }
  }
  return row;
}

bool ActivityKeeper::isStored(Tracked& workspace) const {
  auto wanted = rowOf(workspace);
  auto& stored = workspace.stored;
  return wanted.overrides == stored.overrides && wanted.rule == stored.rule &&
         wanted.ruleNanos == stored.ruleNanos && areSame(wanted.idleNanos, stored.idleNanos) &&
         areSame(wanted.hostNanos, stored.hostNanos) &&
         areSame(wanted.warnedNanos, stored.warnedNanos);
}

void ActivityKeeper::store(Tracked& workspace) {
  workspace.stored = rowOf(workspace);
  rows.keep(workspace.stored.clone());
}

}  // namespace bothy
