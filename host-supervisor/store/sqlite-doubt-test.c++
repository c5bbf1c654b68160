#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "store/sqlite-fixture.h"
#include "store/store-contract.h"

namespace {

// How often the disk refuses what SQLite wants to be on it.
uint32_t syncsToRefuse = 0;

int syncAs(long call, int fd) {
  if (syncsToRefuse > 0) {
    syncsToRefuse--;
    errno = EIO;
    return -1;
  }
  return static_cast<int>(syscall(call, fd));
}

}  // namespace

// In the place of the C library's, for SQLite too.
extern "C" int fsync(int fd) {
  return syncAs(SYS_fsync, fd);
}
extern "C" int fdatasync(int fd) {
  return syncAs(SYS_fdatasync, fd);
}

namespace bothy {
namespace {

struct DoubtFixture: SqliteFixture {
  kj::Own<StoreBackend> backend = openSqliteBackend(path, {});

  DoubtFixture() { backend->begin(); }
  ~DoubtFixture() noexcept(false) { syncsToRefuse = 0; }

  GroupOutcome commit(uint64_t mark, kj::StringPtr name) {
    auto change =
        kj::mv(Change()
                   .add(contractRow(name))
                   .put(contractMachine(name, mark))
                   .tell(contractEvent(name, WorkspaceState::CREATING, WorkspaceState::CREATING)));
    return backend->commit(mark, kj::arrayPtr(&change, 1));
  }

  // What a bothyd finds that starts after a kill at this moment.
  kj::String namesAfterKill() {
    auto root = kj::newDiskFilesystem()->getRoot().clone();
    auto copy = kj::str(path, "-copy");
    for (auto suffix : {"", "-wal"}) {
      root->transfer(kj::Path::parse(kj::str(copy, suffix).slice(1)),
                     kj::WriteMode::CREATE | kj::WriteMode::MODIFY,
                     kj::Path::parse(kj::str(path, suffix).slice(1)), kj::TransferMode::COPY);
    }
    auto index = kj::str(copy, "-shm");
    unlink(index.cStr());
    auto state = openSqliteBackend(copy, {})->begin();
    return kj::strArray(KJ_MAP(row, state.workspaces) { return kj::str(row.name); }, " ");
  }
};

TEST_CASE("P41 a change that is told as not in does not come back after a kill") {
  DoubtFixture f;
  CHECK(f.commit(1, "a").doubt == nullptr);
  syncsToRefuse = 1;
  CHECK_THROWS(f.commit(2, "b"));
  REQUIRE(syncsToRefuse == 0);
  CHECK(f.namesAfterKill() == "a");
  CHECK_FALSE(f.backend->holds(2));
  CHECK(f.commit(3, "c").lastEvent == 2);
  CHECK(f.namesAfterKill() == "a c");
}

TEST_CASE("P41 whether a change is in stays in doubt while nothing can be written over it") {
  DoubtFixture f;
  syncsToRefuse = UINT32_MAX;
  auto outcome = f.commit(1, "a");
  CHECK(outcome.doubt != nullptr);
  CHECK_THROWS(f.backend->holds(1));
  syncsToRefuse = 0;
  CHECK_FALSE(f.backend->holds(1));
  CHECK(f.namesAfterKill() == "");
}

}  // namespace
}  // namespace bothy
