#include "store/sqlite-store.h"

#include <kj/debug.h>
#include <kj/vector.h>

#include "store/disk-reserve.h"
#include "store/sqlite-database.h"

namespace bothy {
namespace {

// Appended to, never edited: a file of any age is brought up by those it lacks.
constexpr kj::StringPtr MIGRATIONS[] = {
    R"sql(
      CREATE TABLE workspaces (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        image TEXT NOT NULL,
        cpus INTEGER NOT NULL,
        memory_mib INTEGER NOT NULL,
        disk_mib INTEGER NOT NULL,
        uid INTEGER NOT NULL UNIQUE,
        cid INTEGER NOT NULL UNIQUE,
        state INTEGER NOT NULL,
        failure TEXT NOT NULL,
        secret BLOB NOT NULL,
        created_nanos INTEGER NOT NULL,
        started_nanos INTEGER NOT NULL,
        agent_version TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE events (
        number INTEGER PRIMARY KEY,
        time_nanos INTEGER NOT NULL,
        workspace TEXT NOT NULL,
        workspace_id TEXT NOT NULL,
        before INTEGER NOT NULL,
        after INTEGER NOT NULL,
        gone INTEGER NOT NULL,
        cause INTEGER NOT NULL,
        detail TEXT NOT NULL
      ) STRICT;
      CREATE TABLE requests (
        request_id TEXT PRIMARY KEY,
        asked TEXT NOT NULL,
        workspace_id TEXT NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX requests_by_workspace ON requests(workspace_id);
    )sql"_kj,
    R"sql(
      ALTER TABLE workspaces ADD COLUMN wanted_disk_mib INTEGER NOT NULL DEFAULT 0;
    )sql"_kj,
    R"sql(
      ALTER TABLE workspaces ADD COLUMN rebooting INTEGER NOT NULL DEFAULT 0;
    )sql"_kj,
};

constexpr kj::StringPtr SELECT_WORKSPACES =
    "SELECT id, name, image, cpus, memory_mib, disk_mib, uid, cid, state, failure, secret, "
    "created_nanos, started_nanos, agent_version, wanted_disk_mib, rebooting FROM workspaces "
    "ORDER BY name"_kj;

template <typename Enum>
Enum known(int64_t number, Enum last) {
  KJ_REQUIRE(number >= 0 && number <= static_cast<int64_t>(last),
             "the database holds a number that this bothyd does not know", number);
  return static_cast<Enum>(number);
}

class SqliteStore final: public Store {
public:
  SqliteStore(kj::StringPtr path, uint64_t keepEvents)
      : reserve(kj::str(path, "-reserve")), database(path), keepEvents(keepEvents) {
    database.migrate(MIGRATIONS);
    database.reserveLog();
    reserve.take();
  }

  kj::Array<WorkspaceRow> workspaces() override {
    kj::Vector<WorkspaceRow> rows;
    SqliteStatement select(database, SELECT_WORKSPACES);
    while (select.step()) {
      WorkspaceRow row;
      row.id = select.text(0);
      row.name = select.text(1);
      row.image = select.text(2);
      row.cpus = select.integer(3);
      row.memoryMib = select.integer(4);
      row.diskMib = select.integer(5);
      row.uid = select.integer(6);
      row.cid = select.integer(7);
      row.state = known(select.integer(8), WorkspaceState::RESIZING);
      row.failure = select.text(9);
      row.secret = select.blob(10);
      row.createdNanos = select.integer(11);
      row.startedNanos = select.integer(12);
      row.agentVersion = select.text(13);
      row.wantedDiskMib = select.integer(14);
      row.rebooting = select.integer(15) != 0;
      rows.add(kj::mv(row));
    }
    return rows.releaseAsArray();
  }

  void insert(const WorkspaceRow& row, const EventRecord& event,
              kj::Maybe<const RequestRecord&> request) override {
    change([&]() {
      SqliteStatement insert(
          database,
          "INSERT INTO workspaces (name, image, cpus, memory_mib, disk_mib, uid, "
          "cid, state, failure, secret, created_nanos, started_nanos, "
          "agent_version, wanted_disk_mib, rebooting, id) VALUES "
          "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
      bindRow(insert, row).finish();
      KJ_IF_MAYBE (r, request) {
        SqliteStatement remember(
            database, "INSERT INTO requests (request_id, asked, workspace_id) VALUES (?,?,?)");
        remember.bind(r->requestId).bind(r->asked).bind(r->workspaceId).finish();
      }
      addEvent(event);
    });
  }

  void update(const WorkspaceRow& row, kj::Maybe<const EventRecord&> event) override {
    change([&]() {
      SqliteStatement update(
          database,
          "UPDATE workspaces SET name=?, image=?, cpus=?, memory_mib=?, "
          "disk_mib=?, uid=?, cid=?, state=?, failure=?, secret=?, "
          "created_nanos=?, started_nanos=?, agent_version=?, wanted_disk_mib=?, "
          "rebooting=? WHERE id=?");
      int changed = bindRow(update, row).finish();
      KJ_REQUIRE(changed == 1, "no such workspace in the database", row.id);
      KJ_IF_MAYBE (e, event) addEvent(*e);
    });
  }

  void remove(kj::StringPtr id, const EventRecord& event) override {
    change([&]() {
      SqliteStatement remove(database, "DELETE FROM workspaces WHERE id=?");
      int changed = remove.bind(id).finish();
      KJ_REQUIRE(changed == 1, "no such workspace in the database", id);
      addEvent(event);
    });
  }

  void append(const EventRecord& event) override {
    change([&]() { addEvent(event); });
  }

  kj::Maybe<RequestRecord> request(kj::StringPtr requestId) override {
    SqliteStatement select(
        database, "SELECT request_id, asked, workspace_id FROM requests WHERE request_id=?");
    if (!select.bind(requestId).step()) return nullptr;
    return RequestRecord{select.text(0), select.text(1), select.text(2)};
  }

  kj::Array<EventRecord> events(uint64_t after, size_t limit) override {
    kj::Vector<EventRecord> result;
    if (after > INT64_MAX) return nullptr;
    SqliteStatement select(
        database,
        "SELECT number, time_nanos, workspace, workspace_id, before, after, "
        "gone, cause, detail FROM events WHERE number > ? ORDER BY number LIMIT ?");
    select.bind(static_cast<int64_t>(after)).bind(static_cast<int64_t>(limit));
    while (select.step()) {
      EventRecord event;
      event.number = select.integer(0);
      event.timeNanos = select.integer(1);
      event.workspace = select.text(2);
      event.workspaceId = select.text(3);
      event.before = known(select.integer(4), WorkspaceState::RESIZING);
      event.after = known(select.integer(5), WorkspaceState::RESIZING);
      event.gone = select.integer(6) != 0;
      event.cause = known(select.integer(7), Cause::UNREACHABLE);
      event.detail = select.text(8);
      result.add(kj::mv(event));
    }
    return result.releaseAsArray();
  }

  uint64_t firstEvent() override { return number("SELECT coalesce(min(number), 0) FROM events"); }
  uint64_t lastEvent() override { return number("SELECT coalesce(max(number), 0) FROM events"); }

private:
  // Opening the database takes room too.
  // For a start on a full disk, which makes the log's index anew, and for file systems that do not write in place.
  DiskReserve reserve;
  SqliteDatabase database;
  uint64_t keepEvents;

  // Makes `statements` one transaction; on a full disk with the reserve's help.
  template <typename Statements>
  void change(Statements&& statements) {
    auto attempt = [&]() {
      SqliteTransaction transaction(database);
      statements();
      transaction.commit();
    };
    KJ_IF_MAYBE (e, kj::runCatchingExceptions(attempt)) {
      if (!reserve.give()) kj::throwFatalException(kj::mv(*e));
      attempt();
    }
    reserve.take();
  }

  uint64_t number(kj::StringPtr sql) {
    SqliteStatement select(database, sql);
    KJ_REQUIRE(select.step());
    return select.integer(0);
  }

  static SqliteStatement& bindRow(SqliteStatement& statement, const WorkspaceRow& row) {
    return statement.bind(row.name)
        .bind(row.image)
        .bind(int64_t(row.cpus))
        .bind(int64_t(row.memoryMib))
        .bind(int64_t(row.diskMib))
        .bind(int64_t(row.uid))
        .bind(int64_t(row.cid))
        .bind(static_cast<int64_t>(row.state))
        .bind(row.failure)
        .bind(row.secret.asPtr())
        .bind(row.createdNanos)
        .bind(row.startedNanos)
        .bind(row.agentVersion)
        .bind(int64_t(row.wantedDiskMib))
        .bind(int64_t(row.rebooting))
        .bind(row.id);
  }

  void addEvent(const EventRecord& event) {
    uint64_t next = lastEvent() + 1;
    SqliteStatement insert(database,
                           "INSERT INTO events (number, time_nanos, workspace, workspace_id, "
                           "before, after, gone, cause, detail) VALUES (?,?,?,?,?,?,?,?,?)");
    insert.bind(static_cast<int64_t>(next))
        .bind(event.timeNanos)
        .bind(event.workspace)
        .bind(event.workspaceId)
        .bind(static_cast<int64_t>(event.before))
        .bind(static_cast<int64_t>(event.after))
        .bind(int64_t(event.gone))
        .bind(static_cast<int64_t>(event.cause))
        .bind(event.detail)
        .finish();
    if (next > keepEvents) {
      SqliteStatement trim(database, "DELETE FROM events WHERE number <= ?");
      trim.bind(static_cast<int64_t>(next - keepEvents)).finish();
    }
  }
};

}  // namespace

kj::Own<Store> newSqliteStore(kj::StringPtr path, uint64_t keepEvents) {
  return kj::heap<SqliteStore>(path, keepEvents);
}

}  // namespace bothy
