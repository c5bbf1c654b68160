#include "store/sqlite-store.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <catch2/catch_test_macros.hpp>

#include "store/sqlite-database.h"

namespace bothy {
namespace {

constexpr uint64_t KEEP = 5;

struct Fixture {
  char directory[32] = "/tmp/bothy-store-XXXXXX";
  kj::String path;
  kj::Own<Store> store;

  Fixture() {
    KJ_ASSERT(mkdtemp(directory) != nullptr);
    path = kj::str(directory, "/state.db");
    reopen();
  }
  ~Fixture() noexcept(false) {
    store = nullptr;
    auto fs = kj::newDiskFilesystem();
    fs->getRoot().remove(kj::Path::parse(kj::StringPtr(directory).slice(1)));
  }
  void reopen() {
    store = nullptr;
    store = newSqliteStore(path, KEEP);
  }
};

WorkspaceRow row(kj::StringPtr name, uint32_t number) {
  WorkspaceRow result;
  result.id = kj::str("id-", name);
  result.name = kj::str(name);
  result.image = kj::str("base");
  result.cpus = 2;
  result.memoryMib = 512;
  result.diskMib = 4096;
  result.uid = 700000 + number;
  result.cid = 3 + number;
  result.createdNanos = 1700000000000000000;
  const kj::byte secret[] = {0, 1, 255};
  result.secret = kj::heapArray<kj::byte>(secret, 3);
  return result;
}

EventRecord event(kj::StringPtr name) {
  EventRecord result;
  result.workspace = kj::str(name);
  result.workspaceId = kj::str("id-", name);
  result.after = WorkspaceState::STOPPED;
  result.detail = kj::str("ä detail");
  return result;
}

TEST_CASE("P41 workspaces are there after the store was opened again") {
  Fixture f;
  f.store->insert(row("b", 1), event("b"), nullptr);
  f.store->insert(row("a", 2), event("a"), nullptr);
  auto changed = row("b", 1);
  changed.state = WorkspaceState::FAILED;
  changed.failure = kj::str("no kernel");
  f.store->update(changed, nullptr);
  f.reopen();

  auto rows = f.store->workspaces();
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].name == "a");
  CHECK(rows[1].state == WorkspaceState::FAILED);
  CHECK(rows[1].failure == "no kernel");
  CHECK(rows[1].secret.size() == 3);
  CHECK(rows[1].secret[2] == 255);
  CHECK(rows[1].uid == 700001);
  CHECK(rows[1].createdNanos == 1700000000000000000);
}

TEST_CASE("two workspaces never share a name, a uid or a cid, and a refusal changes nothing") {
  Fixture f;
  f.store->insert(row("a", 1), event("a"), nullptr);
  CHECK_THROWS(f.store->insert(row("a", 2), event("a"), nullptr));
  CHECK_THROWS(f.store->insert(row("b", 1), event("b"), nullptr));
  CHECK(f.store->workspaces().size() == 1);
  CHECK(f.store->lastEvent() == 1);
  CHECK_THROWS(f.store->update(row("none", 9), event("none")));
  CHECK(f.store->lastEvent() == 1);
}

TEST_CASE("P58 events are numbered without a gap over restarts and the last are kept") {
  Fixture f;
  CHECK(f.store->firstEvent() == 0);
  f.store->insert(row("a", 1), event("a"), nullptr);
  for (int i = 0; i < 4; i++) f.store->append(event("a"));
  f.reopen();
  for (int i = 0; i < 3; i++) f.store->append(event("a"));
  CHECK(f.store->firstEvent() == 4);
  CHECK(f.store->lastEvent() == 8);
  auto some = f.store->events(5, 2);
  REQUIRE(some.size() == 2);
  CHECK(some[0].number == 6);
  CHECK(some[1].number == 7);
  CHECK(some[0].detail == "ä detail");
  CHECK(f.store->events(0, 100).size() == KEEP);
  CHECK(f.store->events(8, 100).size() == 0);
  CHECK(f.store->events(UINT64_MAX, 100).size() == 0);
}

TEST_CASE("P57 a request id is remembered until its workspace is removed") {
  Fixture f;
  auto workspace = row("a", 1);
  RequestRecord request{kj::str("r1"), kj::str("asked"), kj::str(workspace.id)};
  f.store->insert(workspace, event("a"), request);
  f.reopen();
  auto found = KJ_ASSERT_NONNULL(f.store->request("r1"));
  CHECK(found.workspaceId == workspace.id);
  CHECK(found.asked == "asked");
  CHECK(f.store->request("r2") == nullptr);
  f.store->remove(workspace.id, event("a"));
  CHECK(f.store->request("r1") == nullptr);
  CHECK(f.store->workspaces().size() == 0);
}

TEST_CASE("the database is readable by its owner alone, with what SQLite puts beside it") {
  Fixture f;
  f.store->insert(row("a", 1), event("a"), nullptr);
  for (auto suffix : {"", "-wal", "-shm"}) {
    struct stat stats;
    INFO(suffix);
    REQUIRE(stat(kj::str(f.path, suffix).cStr(), &stats) == 0);
    CHECK((stats.st_mode & 0777) == 0600);
  }
}

TEST_CASE("a database of a newer bothyd is refused") {
  Fixture f;
  f.store = nullptr;
  SqliteDatabase(f.path).run("PRAGMA user_version = 99");
  CHECK_THROWS(newSqliteStore(f.path, KEEP));
}

}  // namespace
}  // namespace bothy
