#include "store/sqlite-activity.h"

#include <kj/debug.h>
#include <kj/vector.h>

#include "store/store.h"

namespace bothy {

SqliteActivity::SqliteActivity(SqliteDatabase& database)
    : putActivity(database,
                  "INSERT INTO activity (workspace_id, overrides, idle_nanos, host_nanos, rule, "
                  "rule_nanos, warned_nanos) SELECT ?1,?2,?3,?4,?5,?6,?7 "
                  "WHERE EXISTS (SELECT 1 FROM workspaces WHERE id=?1) "
                  "ON CONFLICT (workspace_id) DO UPDATE SET overrides=excluded.overrides, "
                  "idle_nanos=excluded.idle_nanos, host_nanos=excluded.host_nanos, "
                  "rule=excluded.rule, rule_nanos=excluded.rule_nanos, "
                  "warned_nanos=excluded.warned_nanos"),
      addWakeLock(database,
                  "INSERT INTO wake_locks (id, workspace_id, holder, reason, taken_nanos, "
                  "until_nanos) VALUES (?,?,?,?,?,?)"),
      removeWakeLock(database, "DELETE FROM wake_locks WHERE id=?"),
      activities(database,
                 "SELECT workspace_id, overrides, idle_nanos, host_nanos, rule, rule_nanos, "
                 "warned_nanos FROM activity"),
      wakeLocks(database,
                "SELECT id, workspace_id, holder, reason, taken_nanos, until_nanos "
                "FROM wake_locks") {}

void SqliteActivity::apply(const Change::ActivityStep& step) {
  KJ_SWITCH_ONEOF(step) {
    KJ_CASE_ONEOF(put, Change::PutActivity) {
      auto& row = put.row;
      const auto changed = putActivity.again()
                               .bind(row.workspaceId)
                               .bind(row.overrides)
                               .bind(row.idleNanos)
                               .bind(row.hostNanos)
                               .bind(row.rule)
                               .bind(row.ruleNanos)
                               .bind(row.warnedNanos)
                               .finish();
      if (changed != 1) {
        throw RefusedRow{rowRefused(kj::str("there is no such workspace: ", row.workspaceId))};
      }
    }
    KJ_CASE_ONEOF(add, Change::AddWakeLock) {
      auto& row = add.row;
      addWakeLock.again()
          .bind(row.id)
          .bind(row.workspaceId)
          .bind(row.holder)
          .bind(row.reason)
          .bind(row.takenNanos)
          .bind(row.untilNanos)
          .finish();
    }
    KJ_CASE_ONEOF(remove, Change::RemoveWakeLock) {
      if (removeWakeLock.again().bind(remove.id).finish() != 1) {
        throw RefusedRow{rowRefused(kj::str("there is no such wake lock: ", remove.id))};
      }
    }
  }
}

kj::Array<ActivityRow> SqliteActivity::readActivities() {
  kj::Vector<ActivityRow> rows;
  activities.again();
  KJ_DEFER(activities.again());
  while (activities.step()) {
    rows.add(ActivityRow{activities.text(0), activities.text(1), activities.integer(2),
                         activities.integer(3), activities.text(4), activities.integer(5),
                         activities.integer(6)});
  }
  return rows.releaseAsArray();
}

kj::Array<WakeLockRow> SqliteActivity::readWakeLocks() {
  kj::Vector<WakeLockRow> rows;
  wakeLocks.again();
  KJ_DEFER(wakeLocks.again());
  while (wakeLocks.step()) {
    rows.add(WakeLockRow{wakeLocks.text(0), wakeLocks.text(1), wakeLocks.text(2), wakeLocks.text(3),
                         wakeLocks.integer(4), wakeLocks.integer(5)});
  }
  return rows.releaseAsArray();
}

}  // namespace bothy
