#include "bench/store-figures.h"

#include <stdlib.h>

#include <kj/async-io.h>
#include <kj/debug.h>
#include <kj/filesystem.h>

#include "store/sqlite-database.h"
#include "store/sqlite-schema.h"
#include "store/sqlite-store.h"
#include "workspace/workspace-state.h"

namespace bothy {
namespace {

constexpr uint WAITING = 32;
constexpr uint GROUPS = 100;
constexpr uint SAMPLES = 10;

// Beside the state directory's place for the machines of the other figures: a disk, not memory.
struct Directory {
  char path[32] = "/var/tmp/bothy-bench-XXXXXX";
  Directory() { KJ_REQUIRE(mkdtemp(path) != nullptr); }
  ~Directory() noexcept(false) {
    kj::newDiskFilesystem()->getRoot().remove(kj::Path::parse(kj::StringPtr(path).slice(1)));
  }
  KJ_DISALLOW_COPY_AND_MOVE(Directory);
};

// The same rows in the same tables by SQLite alone: a transaction of so many changes, each of a row and an event.
double plainCommits(kj::StringPtr path) {
  SqliteDatabase database(path);
  database.migrate(sqliteMigrations());
  database.reserveLog();
  SqliteStatement add(database,
                      "INSERT INTO workspaces (disk_mib, rest, failure, id, name, image, cpus, "
                      "memory_mib, created_nanos) VALUES (0,0,'',?,?,'base',0,0,0)");
  for (uint i = 0; i < WAITING; i++) {
    add.again().bind(kj::str("id-", i)).bind(kj::str("w", i)).finish();
  }
  SqliteStatement update(database,
                         "UPDATE workspaces SET disk_mib=?, rest=?, failure=? WHERE id=?");
  SqliteStatement tell(database,
                       "INSERT INTO events (number, time_nanos, count, first_nanos, workspace, "
                       "workspace_id, before, after, gone, cause, detail) "
                       "VALUES (?,?,1,?,?,?,?,?,0,0,?)");
  int64_t number = 0;
  auto took = milliseconds([&]() {
    for (uint group = 0; group < GROUPS; group++) {
      SqliteTransaction transaction(database);
      for (uint i = 0; i < WAITING; i++) {
        auto id = kj::str("id-", i);
        update.again().bind(int64_t(0)).bind(int64_t(group % 2)).bind(""_kj).bind(id).finish();
        tell.again().bind(++number).bind(number).bind(number).bind(kj::str("w", i)).bind(id);
        tell.bind(int64_t(0)).bind(int64_t(1)).bind("a detail"_kj).finish();
      }
      transaction.commit();
    }
  });
  return GROUPS * WAITING * 1000 / took;
}

kj::Promise<void> change(Store& store, uint number) {
  WorkspaceRow row;
  row.id = kj::str("id-", number);
  for (uint i = 0; i < GROUPS; i++) {
    row.rest = i % 2 == 0 ? Rest::RUNNING : Rest::STOPPED;
    EventRecord event;
    event.timeNanos = i;
    event.workspace = kj::str("w", number);
    event.workspaceId = kj::str(row.id);
    event.before = i % 2 == 0 ? WorkspaceState::STOPPED : WorkspaceState::RUNNING;
    event.after = stateOf(row.rest, nullptr);
    event.detail = kj::str("a detail");
    co_await store.commit(kj::mv(Change().update(row.clone()).tell(kj::mv(event))));
  }
}

double commits(kj::AsyncIoContext& io, kj::StringPtr path) {
  auto store = openSqliteStore(io.provider->getTimer(), path, {});
  store->begin().wait(io.waitScope);
  for (uint i = 0; i < WAITING; i++) {
    WorkspaceRow row;
    row.id = kj::str("id-", i);
    row.name = kj::str("w", i);
    row.image = kj::str("base");
    store->commit(kj::mv(Change().add(kj::mv(row)))).wait(io.waitScope);
  }
  auto took = milliseconds([&]() {
    kj::Vector<kj::Promise<void>> callers;
    for (uint i = 0; i < WAITING; i++) callers.add(change(*store, i));
    kj::joinPromises(callers.releaseAsArray()).wait(io.waitScope);
  });
  return GROUPS * WAITING * 1000 / took;
}

}  // namespace

void measureStore(kj::Vector<Row>& rows) {
  Directory directory;
  auto io = kj::setupAsyncIo();
  auto& row = addRow(rows, "commits, 32 waiting, group commit", "1/s", 0.7, Row::Better::HIGHER);
  for (uint i = 0; i < SAMPLES; i++) {
    row.floor.add(plainCommits(kj::str(directory.path, "/plain-", i)));
    row.samples.add(commits(io, kj::str(directory.path, "/store-", i)));
  }
}

}  // namespace bothy
