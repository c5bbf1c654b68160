#include "store/sqlite-usage.h"

#include <kj/debug.h>

namespace bothy {
namespace {

// Appended to, never edited.  `writer` has one row: what is booked of the feed of events, when, and the newest record's number, which is not given
// again where that record is not kept.
constexpr kj::StringPtr MIGRATIONS[] = {
    R"sql(
      CREATE TABLE writer (
        only INTEGER PRIMARY KEY CHECK (only = 0),
        is_new INTEGER NOT NULL,
        events_through INTEGER NOT NULL,
        boot INTEGER NOT NULL,
        boot_millis INTEGER NOT NULL,
        wall_millis INTEGER NOT NULL,
        last_number INTEGER NOT NULL
      ) STRICT;
      INSERT INTO writer VALUES (0, 1, 0, 0, 0, 0, 0);
      CREATE TABLE meters (
        workspace_id TEXT PRIMARY KEY,
        workspace TEXT NOT NULL,
        state INTEGER NOT NULL,
        memory_mib INTEGER NOT NULL,
        disk_mib INTEGER NOT NULL,
        boot INTEGER NOT NULL,
        boot_millis INTEGER NOT NULL,
        wall_millis INTEGER NOT NULL,
        machine INTEGER NOT NULL,
        machine_micros INTEGER NOT NULL,
        from_millis INTEGER NOT NULL,
        is_steady INTEGER NOT NULL,
        is_polled INTEGER NOT NULL,
        due_millis INTEGER NOT NULL,
        running INTEGER NOT NULL,
        paused INTEGER NOT NULL,
        hibernated INTEGER NOT NULL,
        stopped INTEGER NOT NULL,
        expired INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        cpu_micros INTEGER NOT NULL,
        memory_mib_millis INTEGER NOT NULL,
        disk_mib_millis INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX meters_polled ON meters(workspace_id) WHERE is_polled;
      CREATE INDEX meters_due ON meters(due_millis) WHERE NOT is_polled;
      CREATE INDEX meters_by_name ON meters(workspace);
      CREATE TABLE records (
        number INTEGER PRIMARY KEY,
        workspace_id TEXT NOT NULL,
        workspace TEXT NOT NULL,
        from_millis INTEGER NOT NULL,
        until_millis INTEGER NOT NULL,
        running INTEGER NOT NULL,
        paused INTEGER NOT NULL,
        hibernated INTEGER NOT NULL,
        stopped INTEGER NOT NULL,
        expired INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        cpu_micros INTEGER NOT NULL,
        memory_mib_millis INTEGER NOT NULL,
        disk_mib_millis INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX records_by_workspace ON records(workspace_id, number);
      CREATE INDEX records_by_name ON records(workspace, number);
    )sql"_kj,
    // Whose they are.
    R"sql(
      ALTER TABLE meters ADD COLUMN user TEXT NOT NULL DEFAULT '';
      ALTER TABLE records ADD COLUMN user TEXT NOT NULL DEFAULT '';
      CREATE INDEX meters_by_user ON meters(user, workspace_id) WHERE user <> '';
      CREATE INDEX records_by_user ON records(user, number) WHERE user <> '';
    )sql"_kj,
};

constexpr kj::StringPtr METER =
    "workspace_id, workspace, state, memory_mib, disk_mib, boot, boot_millis, wall_millis, "
    "machine, "
    "machine_micros, from_millis, is_steady, is_polled, due_millis, running, paused, hibernated, "
    "stopped, expired, failed, cpu_micros, memory_mib_millis, disk_mib_millis, user"_kj;
constexpr kj::StringPtr RECORD =
    "number, workspace_id, workspace, from_millis, until_millis, running, paused, hibernated, "
    "stopped, expired, failed, cpu_micros, memory_mib_millis, disk_mib_millis, user"_kj;

// Looked at for whether they may go with each change, of which there are several hundred an hour.
constexpr int64_t FORGOTTEN_AT_ONCE = 500;

SqliteDatabase& migrated(SqliteDatabase& database) {
  database.migrate(MIGRATIONS);
  return database;
}

int64_t boundOf(size_t limit) {
  return static_cast<int64_t>(kj::min(limit, static_cast<size_t>(INT64_MAX)));
}

SqliteStatement& bind(SqliteStatement& statement, const UsageSums& sums) {
  return statement.bind(sums.runningMillis)
      .bind(sums.pausedMillis)
      .bind(sums.hibernatedMillis)
      .bind(sums.stoppedMillis)
      .bind(sums.expiredMillis)
      .bind(sums.failedMillis)
      .bind(sums.cpuMicros)
      .bind(sums.memoryMibMillis)
      .bind(sums.diskMibMillis);
}

UsageSums sumsAt(SqliteStatement& statement, int column) {
  auto next = [&]() { return statement.integer(column++); };
  UsageSums sums;
  for (auto member :
       {&UsageSums::runningMillis, &UsageSums::pausedMillis, &UsageSums::hibernatedMillis,
        &UsageSums::stoppedMillis, &UsageSums::expiredMillis, &UsageSums::failedMillis,
        &UsageSums::cpuMicros, &UsageSums::memoryMibMillis, &UsageSums::diskMibMillis}) {
    sums.*member = next();
  }
  return sums;
}

}  // namespace

SqliteUsage::SqliteUsage(kj::StringPtr path)
    : database(path),
      readWriter(migrated(database),
                 "SELECT is_new, events_through, boot, boot_millis, wall_millis, last_number "
                 "FROM writer"),
      writeWriter(database,
                  "UPDATE writer SET is_new=0, events_through=?, boot=?, boot_millis=?, "
                  "wall_millis=?, last_number=max(last_number, ?)"),
      putMeter(database, kj::str("INSERT OR REPLACE INTO meters (", METER,
                                 ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")),
      removeMeter(database, "DELETE FROM meters WHERE workspace_id=?"),
      putRecord(database, kj::str("INSERT OR REPLACE INTO records (", RECORD,
                                  ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")),
      forget(database,
             "DELETE FROM records WHERE number IN (SELECT number FROM records ORDER BY number "
             "LIMIT ?) AND until_millis<?"),
      polledMeters(database, kj::str("SELECT ", METER, " FROM meters WHERE is_polled")),
      meterOf(database, kj::str("SELECT ", METER, " FROM meters WHERE workspace_id=?")),
      allAfter(database, kj::str("SELECT ", METER,
                                 " FROM meters WHERE workspace_id>? ORDER BY workspace_id "
                                 "LIMIT ?")),
      namedAfter(database, kj::str("SELECT ", METER,
                                   " FROM meters WHERE workspace_id>?1 AND (workspace_id=?3 OR "
                                   "workspace=?3) ORDER BY workspace_id LIMIT ?2")),
      usersAfter(database, kj::str("SELECT ", METER,
                                   " FROM meters WHERE workspace_id>?1 AND user=?4 AND user<>'' "
                                   "AND (?3='' OR workspace_id=?3 OR workspace=?3) ORDER BY "
                                   "workspace_id LIMIT ?2")),
      due(database, kj::str("SELECT ", METER,
                            " FROM meters WHERE NOT is_polled AND due_millis<=? ORDER BY "
                            "due_millis LIMIT ?")),
      allRecords(database, kj::str("SELECT ", RECORD,
                                   " FROM records WHERE number>? AND until_millis>? AND "
                                   "from_millis<? ORDER BY number LIMIT ?")),
      recordsOf(database, kj::str("SELECT ", RECORD,
                                  " FROM records WHERE number>?1 AND until_millis>?2 AND "
                                  "from_millis<?3 AND (workspace_id=?5 OR workspace=?5) ORDER BY "
                                  "number LIMIT ?4")),
      recordsOfUser(database, kj::str("SELECT ", RECORD,
                                      " FROM records WHERE number>?1 AND until_millis>?2 AND "
                                      "from_millis<?3 AND user=?6 AND user<>'' AND (?5='' OR "
                                      "workspace_id=?5 OR workspace=?5) ORDER BY number LIMIT ?4")),
      oldest(database, "SELECT coalesce(min(number), 0) FROM records") {}

StoredUsage SqliteUsage::begin() {
  if (database.isInTransaction()) database.run("ROLLBACK");
  StoredUsage stored;
  {
    readWriter.again();
    KJ_DEFER(readWriter.again());
    KJ_REQUIRE(readWriter.step(), "the database of usage has no writer");
    stored.isNew = readWriter.integer(0) != 0;
    stored.eventsThrough = static_cast<uint64_t>(readWriter.integer(1));
    stored.at = {readWriter.integer(2), readWriter.integer(3), readWriter.integer(4)};
    stored.lastNumber = static_cast<uint64_t>(readWriter.integer(5));
  }
  stored.polled = rowsOf(polledMeters.again());
  return stored;
}

void SqliteUsage::commit(const UsageChange& change) {
  if (database.isInTransaction()) database.run("ROLLBACK");
  SqliteTransaction transaction(database);
  for (auto& row : change.meters) put(row);
  for (auto& id : change.removed) removeMeter.again().bind(id).finish();
  uint64_t last = 0;
  for (auto& record : change.records) {
    put(record);
    last = kj::max(last, record.number);
  }
  forget.again().bind(FORGOTTEN_AT_ONCE).bind(change.keepFromMillis).finish();
  writeWriter.again()
      .bind(static_cast<int64_t>(change.eventsThrough))
      .bind(change.at.boot)
      .bind(change.at.bootMillis)
      .bind(change.at.wallMillis)
      .bind(static_cast<int64_t>(last))
      .finish();
  transaction.commit();
}

void SqliteUsage::put(const MeterRow& row) {
  bind(putMeter.again()
           .bind(row.workspaceId)
           .bind(row.workspace)
           .bind(static_cast<int64_t>(row.state))
           .bind(int64_t{row.memoryMib})
           .bind(int64_t{row.diskMib})
           .bind(row.through.boot)
           .bind(row.through.bootMillis)
           .bind(row.through.wallMillis)
           .bind(static_cast<int64_t>(row.machine))
           .bind(row.machineMicros)
           .bind(row.fromMillis)
           .bind(int64_t{row.isSteady})
           .bind(int64_t{row.isPolled})
           .bind(row.dueMillis),
       row.open)
      .bind(row.user)
      .finish();
}

void SqliteUsage::put(const UsageRecord& record) {
  bind(putRecord.again()
           .bind(static_cast<int64_t>(record.number))
           .bind(record.workspaceId)
           .bind(record.workspace)
           .bind(record.fromMillis)
           .bind(record.untilMillis),
       record.sums)
      .bind(record.user)
      .finish();
}

kj::Array<MeterRow> SqliteUsage::rowsOf(SqliteStatement& statement) {
  KJ_DEFER(statement.again());
  kj::Vector<MeterRow> rows;
  while (statement.step()) {
    MeterRow row;
    row.workspaceId = statement.text(0);
    row.workspace = statement.text(1);
    const auto state = statement.integer(2);
    // One that this bothyd does not know takes nothing but its disk.
    row.state = state >= 0 && state <= static_cast<int64_t>(LAST_STATE)
                    ? static_cast<WorkspaceState>(state)
                    : WorkspaceState::STOPPED;
    row.memoryMib = static_cast<uint32_t>(statement.integer(3));
    row.diskMib = static_cast<uint32_t>(statement.integer(4));
    row.through = {statement.integer(5), statement.integer(6), statement.integer(7)};
    row.machine = static_cast<uint64_t>(statement.integer(8));
    row.machineMicros = statement.integer(9);
    row.fromMillis = statement.integer(10);
    row.isSteady = statement.integer(11) != 0;
    row.isPolled = statement.integer(12) != 0;
    row.dueMillis = statement.integer(13);
    row.open = sumsAt(statement, 14);
    row.user = statement.text(23);
    rows.add(kj::mv(row));
  }
  return rows.releaseAsArray();
}

kj::Array<MeterRow> SqliteUsage::meters(kj::ArrayPtr<const kj::String> workspaceIds) {
  kj::Vector<MeterRow> found;
  for (auto& id : workspaceIds) {
    auto rows = rowsOf(meterOf.again().bind(id));
    for (auto& row : rows) found.add(kj::mv(row));
  }
  return found.releaseAsArray();
}

kj::Array<MeterRow> SqliteUsage::metersAfter(kj::StringPtr after, size_t limit,
                                             kj::StringPtr workspace, kj::StringPtr user) {
  const bool isOfUser = user.size() > 0, isNamed = workspace.size() > 0;
  auto& statement = isOfUser ? usersAfter : isNamed ? namedAfter : allAfter;
  statement.again().bind(after).bind(boundOf(limit));
  if (isOfUser || isNamed) statement.bind(workspace);
  if (isOfUser) statement.bind(user);
  return rowsOf(statement);
}

kj::Array<MeterRow> SqliteUsage::dueMeters(int64_t millis, size_t limit) {
  return rowsOf(due.again().bind(millis).bind(boundOf(limit)));
}

UsagePage SqliteUsage::records(const UsageQuery& query) {
  UsagePage page;
  const bool isOfUser = query.user.size() > 0, isNamed = query.workspace.size() > 0;
  auto& statement = isOfUser ? recordsOfUser : isNamed ? recordsOf : allRecords;
  statement.again()
      .bind(static_cast<int64_t>(kj::min(query.after, static_cast<uint64_t>(INT64_MAX))))
      .bind(query.sinceMillis)
      .bind(query.untilMillis)
      .bind(boundOf(query.limit));
  if (isOfUser || isNamed) statement.bind(query.workspace);
  if (isOfUser) statement.bind(query.user);
  KJ_DEFER(statement.again());
  kj::Vector<UsageRecord> found;
  while (statement.step()) {
    found.add(UsageRecord{static_cast<uint64_t>(statement.integer(0)), statement.text(1),
                          statement.text(2), statement.integer(3), statement.integer(4),
                          sumsAt(statement, 5), statement.text(14)});
  }
  page.records = found.releaseAsArray();
  oldest.again();
  KJ_DEFER(oldest.again());
  KJ_ASSERT(oldest.step());
  page.first = static_cast<uint64_t>(oldest.integer(0));
  return page;
}

}  // namespace bothy
