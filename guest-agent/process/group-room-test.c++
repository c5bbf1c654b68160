#include "process/group-room.h"

#include <unistd.h>

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

// A directory with files as a cgroup has them.
struct Group {
  kj::Own<kj::Filesystem> disk = kj::newDiskFilesystem();
  kj::Path path = kj::Path::parse(kj::str("tmp/bothy-group-", getpid()));
  kj::Own<const kj::Directory> directory =
      disk->getRoot().openSubdir(path, kj::WriteMode::CREATE | kj::WriteMode::MODIFY);

  ~Group() noexcept(false) { disk->getRoot().remove(path); }
  void set(kj::StringPtr name, kj::StringPtr text) {
    directory->openFile(kj::Path(name), kj::WriteMode::CREATE | kj::WriteMode::MODIFY)
        ->writeAll(text);
  }
  GroupRoom room() { return roomIn(KJ_ASSERT_NONNULL(directory->getFd())); }
};

TEST_CASE("S42 what is left of a group's tasks is known, and what may be freed of its memory") {
  Group group;
  group.set("pids.max", "100\n");
  group.set("pids.current", "93\n");
  group.set("memory.max", "1000000\n");
  group.set("memory.current", "990000\n");
  group.set("memory.stat",
            "anon 700000\nfile 250000\ninactive_file 200000\nactive_file 30000\n"
            "slab_reclaimable 4000\n");
  auto room = group.room();
  CHECK(room.tasks == 7);
  CHECK(room.memoryBytes == 10000 + 200000 + 30000 + 4000);
}

TEST_CASE("a group without limits has room for all") {
  Group group;
  group.set("pids.max", "max\n");
  group.set("pids.current", "93\n");
  CHECK(group.room().tasks == UINT64_MAX);
  CHECK(group.room().memoryBytes == UINT64_MAX);
}

TEST_CASE("a group over its limit, which was lowered, has no room") {
  Group group;
  group.set("pids.max", "10\n");
  group.set("pids.current", "11\n");
  CHECK(group.room().tasks == 0);
}

TEST_CASE("a number is found by its whole key, wherever its line is") {
  auto text = "xoom 1\noom 2\noom_kill 3\nlast 4"_kj;
  CHECK(KJ_ASSERT_NONNULL(numberAfter(text, "oom")) == 2);
  CHECK(KJ_ASSERT_NONNULL(numberAfter(text, "oom_kill")) == 3);
  CHECK(KJ_ASSERT_NONNULL(numberAfter(text, "last")) == 4);
  CHECK(numberAfter(text, "oom_") == nullptr);
  CHECK(numberAfter("", "oom") == nullptr);
}

}  // namespace
}  // namespace bothy
