#include "store/sqlite-store.h"

#include <kj/debug.h>

#include "store/disk-reserve.h"
#include "store/group-commit.h"
#include "store/sqlite-events.h"
#include "store/sqlite-rows.h"
#include "store/sqlite-schema.h"

namespace bothy {
namespace {

// Brought up to date before statements are prepared.
SqliteDatabase& migrated(SqliteDatabase& database) {
  database.migrate(sqliteMigrations());
  return database;
}

class SqliteBackend final: public StoreBackend {
public:
  SqliteBackend(kj::StringPtr path, EventLimits limits)
      : reserve(kj::str(path, "-reserve")),
        database(path),
        rows(migrated(database)),
        eventTable(database, limits),
        readWriter(database, "SELECT epoch, mark, last_event FROM writer"),
        takeEpoch(database, "UPDATE writer SET epoch=epoch+1, mark=0"),
        signWriter(database, "UPDATE writer SET mark=?, last_event=?") {
    database.reserveLog();
    reserve.take();
  }

  StoredState begin() override {
    return withReserve([&]() {
      StoredState state;
      SqliteTransaction transaction(database);
      takeEpoch.again().finish();
      auto writer = present();
      rows.read(state);
      transaction.commit();
      state.epoch = epoch = writer.epoch;
      state.lastEvent = writer.lastEvent;
      return state;
    });
  }

  kj::Maybe<RequestRecord> request(kj::StringPtr requestId) override {
    return rows.request(requestId);
  }

  kj::Maybe<kj::Array<const kj::byte>> configuration(kj::StringPtr workspaceId) override {
    return rows.configuration(workspaceId);
  }

  EventPage events(uint64_t after, size_t limit) override { return eventTable.read(after, limit); }

  GroupOutcome commit(uint64_t mark, kj::ArrayPtr<const Change> changes) override {
    return withReserve([&]() {
      auto outcome = attempt(mark, changes, false);
      // One of them is refused: which, is found where each can be taken back.
      if (outcome == nullptr) outcome = attempt(mark, changes, true);
      auto& result = KJ_ASSERT_NONNULL(outcome);
      KJ_IF_MAYBE (doubt, result.doubt) {
        kj::Maybe<bool> isIn;
        kj::runCatchingExceptions([&]() { isIn = holds(mark); });
        KJ_IF_MAYBE (in, isIn) {
          if (!*in) kj::throwFatalException(kj::mv(*doubt));
          result.doubt = nullptr;
        }
      }
      return kj::mv(result);
    });
  }

  bool holds(uint64_t mark) override {
    // Within one that failed, what it wrote would be read.
    if (database.isInTransaction()) database.run("ROLLBACK");
    auto writer = present();
    requireEpoch(writer);
    if (writer.mark == mark) return true;
    overwrite(mark);
    return false;
  }

private:
  struct Writer {
    uint64_t epoch, mark, lastEvent;
  };

  // For a start on a full disk, which makes the log's index anew, and for file systems that do not write in place.
  // The first of all: opening the database takes room too.
  DiskReserve reserve;
  SqliteDatabase database;
  SqliteRows rows;
  SqliteEvents eventTable;
  SqliteStatement readWriter, takeEpoch, signWriter;
  uint64_t epoch = 0;

  // Once more on a full disk, with the reserve's help.
  template <typename Func>
  auto withReserve(Func&& func) -> decltype(func()) {
    kj::Maybe<decltype(func())> result;
    KJ_IF_MAYBE (e, kj::runCatchingExceptions([&]() { result = func(); })) {
      if (!reserve.give()) kj::throwFatalException(kj::mv(*e));
      result = func();
    }
    reserve.take();
    return kj::mv(KJ_ASSERT_NONNULL(result));
  }

  Writer present() {
    readWriter.again();
    KJ_DEFER(readWriter.again());
    KJ_REQUIRE(readWriter.step(), "the database has no writer");
    return {static_cast<uint64_t>(readWriter.integer(0)),
            static_cast<uint64_t>(readWriter.integer(1)),
            static_cast<uint64_t>(readWriter.integer(2))};
  }

  void requireEpoch(const Writer& writer) {
    if (writer.epoch != epoch) kj::throwFatalException(fencedBy(writer.epoch, epoch));
  }

  // Where the log failed to reach the disk it may have the whole transaction, which this connection does not see, and the next
  // process would.  Another in its place is what makes it "not in".
  void overwrite(uint64_t mark) {
    SqliteTransaction transaction(database);
    auto writer = present();
    requireEpoch(writer);
    // No transaction's own mark: SQLite writes nothing where a row stays as it is.
    signWriter.again()
        .bind(-static_cast<int64_t>(mark))
        .bind(static_cast<int64_t>(writer.lastEvent))
        .finish();
    transaction.commit();
  }

  // Nothing, if one is refused and `each` is false.
  kj::Maybe<GroupOutcome> attempt(uint64_t mark, kj::ArrayPtr<const Change> changes, bool each) {
    GroupOutcome outcome;
    outcome.refusals = kj::heapArray<kj::Maybe<kj::Exception>>(changes.size());
    SqliteTransaction transaction(database);
    auto writer = present();
    requireEpoch(writer);
    outcome.lastEvent = writer.lastEvent;
    for (auto i : kj::indices(changes)) {
      auto lastEvent = outcome.lastEvent;
      try {
        if (each) database.run("SAVEPOINT change");
        apply(changes[i], outcome.lastEvent);
        if (each) database.run("RELEASE change");
      } catch (RefusedRow& refused) {
        if (!each) return nullptr;
        database.run("ROLLBACK TO change");
        database.run("RELEASE change");
        outcome.lastEvent = lastEvent;
        outcome.refusals[i] = kj::mv(refused.fault);
      }
    }
    signWriter.again()
        .bind(static_cast<int64_t>(mark))
        .bind(static_cast<int64_t>(outcome.lastEvent))
        .finish();
    outcome.doubt = kj::runCatchingExceptions([&]() { transaction.commit(); });
    return kj::mv(outcome);
  }

  void apply(const Change& change, uint64_t& lastEvent) {
    for (auto& step : change.steps) rows.apply(step);
    for (auto& event : change.events) eventTable.add(event, ++lastEvent);
  }
};

}  // namespace

kj::Own<StoreBackend> openSqliteBackend(kj::StringPtr path, EventLimits limits) {
  return kj::heap<SqliteBackend>(path, limits);
}

kj::Own<Store> openSqliteStore(kj::Timer& timer, kj::StringPtr path, EventLimits limits) {
  return newGroupCommitStore(timer, newThreadedBackend(timer, openSqliteBackend(path, limits)));
}

}  // namespace bothy
