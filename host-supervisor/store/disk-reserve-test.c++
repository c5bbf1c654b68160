#include "store/disk-reserve.h"

#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <fstream>

#include "store/sqlite-store.h"

namespace bothy {
namespace {

// A small file system of its own, which can be filled.
class SmallDisk final {
public:
  SmallDisk() {
    KJ_REQUIRE(mkdtemp(path) != nullptr);
    isMounted = mount("tmpfs", path, "tmpfs", 0, "size=16m") == 0;
  }
  ~SmallDisk() {
    if (isMounted) umount2(path, MNT_DETACH);
    std::filesystem::remove_all(path);
  }
  KJ_DISALLOW_COPY_AND_MOVE(SmallDisk);

  void fill() {
    std::ofstream ballast(file("ballast").cStr());
    while (ballast << 'x') {
    }
  }
  kj::String file(kj::StringPtr name) { return kj::str(kj::StringPtr(path), "/", name); }

  char path[32] = "/tmp/bothy-disk-XXXXXX";
  bool isMounted;
};

uint64_t allocated(kj::StringPtr path) {
  struct stat stats;
  KJ_SYSCALL(stat(path.cStr(), &stats));
  return static_cast<uint64_t>(stats.st_blocks) * 512;
}

TEST_CASE("P28 on a full disk the reserve is given once, and taken again when there is room") {
  SmallDisk disk;
  if (!disk.isMounted) SKIP("a file system can only be mounted by root");
  DiskReserve reserve(disk.file("reserve"));
  CHECK(allocated(disk.file("reserve")) == DiskReserve::BYTES);
  CHECK_FALSE(reserve.give());
  disk.fill();
  CHECK(reserve.give());
  CHECK(allocated(disk.file("reserve")) == 0);
  CHECK_FALSE(reserve.give());
  reserve.take();
  CHECK(allocated(disk.file("reserve")) == 0);
  std::filesystem::remove(disk.file("ballast").cStr());
  reserve.take();
  CHECK(allocated(disk.file("reserve")) == DiskReserve::BYTES);
}

constexpr uint64_t CHANGES = 200;

TEST_CASE(
    "P28 R02 a store on a full disk goes on to write down what makes room, also after a start") {
  SmallDisk disk;
  if (!disk.isMounted) SKIP("a file system can only be mounted by root");
  auto store = openSqliteBackend(disk.file("db"), {});
  store->begin();
  uint64_t mark = 0;
  auto commit = [&](Change change) {
    auto outcome = store->commit(++mark, kj::arrayPtr(&change, 1));
    CHECK(outcome.refusals[0] == nullptr);
    CHECK(outcome.doubt == nullptr);
  };
  WorkspaceRow row;
  row.id = kj::str("0123");
  row.name = kj::str("demo");
  row.image = kj::str("base");
  EventRecord event;
  event.workspace = kj::str("demo");
  event.workspaceId = kj::str("0123");
  event.after = WorkspaceState::STOPPED;
  MachineRow machine{700000, 3, kj::str(row.id)};
  commit(kj::mv(Change().add(row.clone()).put(kj::mv(machine)).tell(event.clone())));
  disk.fill();
  for (uint64_t i = 0; i < CHANGES; i++) {
    row.rest = i % 2 == 0 ? Rest::STOPPED : Rest::RUNNING;
    commit(kj::mv(Change().update(row.clone()).tell(event.clone())));
  }
  // An orderly end, after which something else takes what it gave back.
  store = nullptr;
  disk.fill();
  store = openSqliteBackend(disk.file("db"), {});
  mark = 0;
  store->begin();
  row.rest = Rest::FAILED;
  commit(kj::mv(Change().update(row.clone()).tell(event.clone())));
  commit(kj::mv(Change().removeWorkspace("0123", 1).tell(event.clone())));
  auto state = store->begin();
  CHECK(state.workspaces.size() == 0);
  CHECK(state.lastEvent == CHANGES + 3);
}

}  // namespace
}  // namespace bothy
