#pragma once

#include "store/change.h"
#include "store/sqlite-database.h"

namespace bothy {

// The tables of what keeps workspaces awake, as SqliteRows has the others.
class SqliteActivity final {
public:
  explicit SqliteActivity(SqliteDatabase& database);
  KJ_DISALLOW_COPY_AND_MOVE(SqliteActivity);

  // Throws RefusedRow where that is the row's own fault.
  void apply(const Change::ActivityStep& step);

  kj::Array<ActivityRow> readActivities();
  kj::Array<WakeLockRow> readWakeLocks();

private:
  SqliteStatement putActivity, addWakeLock, removeWakeLock, activities, wakeLocks;
};

}  // namespace bothy
