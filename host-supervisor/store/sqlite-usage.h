#pragma once

#include "store/sqlite-database.h"
#include "store/usage-store.h"

namespace bothy {

// The tables of meters and records.  Blocks its caller.
class SqliteUsage final {
public:
  explicit SqliteUsage(kj::StringPtr path);
  KJ_DISALLOW_COPY_AND_MOVE(SqliteUsage);

  // See UsageStore.
  StoredUsage begin();
  void commit(const UsageChange& change);
  kj::Array<MeterRow> meters(kj::ArrayPtr<const kj::String> workspaceIds);
  kj::Array<MeterRow> metersAfter(kj::StringPtr after, size_t limit, kj::StringPtr workspace,
                                  kj::StringPtr user);
  kj::Array<MeterRow> dueMeters(int64_t millis, size_t limit);
  UsagePage records(const UsageQuery& query);

private:
  SqliteDatabase database;
  SqliteStatement readWriter, writeWriter, putMeter, removeMeter, putRecord, forget, polledMeters,
      meterOf, allAfter, namedAfter, usersAfter, due, allRecords, recordsOf, recordsOfUser, oldest;

  void put(const MeterRow& row);
  void put(const UsageRecord& record);
  static kj::Array<MeterRow> rowsOf(SqliteStatement& statement);
};

}  // namespace bothy
