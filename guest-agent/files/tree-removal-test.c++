#include "files/tree-removal.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "files/directory-entry.h"
#include "files/files-test-world.h"
#include "tree/test-directory.h"

namespace bothy {
namespace {

kj::AutoCloseFd openDirectory(kj::StringPtr path) {
  int fd;
  KJ_SYSCALL(fd = open(path.cStr(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return kj::AutoCloseFd(fd);
}

uint64_t listingBytes(kj::StringPtr path) {
  auto directory = openDirectory(path);
  auto buffer = kj::heapArray<kj::byte>(DIRECTORY_BUFFER_BYTES);
  uint64_t result = 0;
  for (;;) {
    long size = readDirectory(directory, buffer);
    KJ_REQUIRE(size >= 0);
    if (size == 0) return result;
    result += static_cast<uint64_t>(size);
  }
}

TEST_CASE("a large directory is read as often as it has levels below it, not entries") {
  TestDirectory world;
  world.makeDirectory("tree");
  constexpr uint COUNT = 2000;
  for (uint i = 0; i < COUNT; i++) {
    auto name = kj::str("tree/a-directory-of-many-", i);
    world.makeDirectory(name);
    world.write(kj::str(name, "/f"), "x");
  }
  const auto listing = listingBytes(world.at("tree"));
  TreeRemoval removal(openDirectory(world.path), kj::str("tree"));
  kj::Maybe<FileResult<Done>> result;
  while (result == nullptr) result = removal.step(32);
  CHECK(KJ_ASSERT_NONNULL(result).is<Done>());
  CHECK_FALSE(world.has("tree"));
  // Once, and once more for what a file system passes over; and of each directory within its few names.
  constexpr uint64_t OF_EACH = 1024;
  CHECK(removal.bytesRead() <= 2 * listing + COUNT * OF_EACH);
}

TEST_CASE("a tree that is deeper than what stays open goes with what is beside its directories") {
  TestDirectory world;
  kj::String path = kj::str("tree");
  world.makeDirectory(path);
  for (size_t i = 0; i < 3 * KEPT_LEVELS; i++) {
    for (uint k = 0; k < 3; k++) {
      world.write(kj::str(path, "/before-", k), "x");
      world.write(kj::str(path, "/z-after-", k), "x");
    }
    world.makeDirectory(kj::str(path, "/empty"));
    path = kj::str(path, "/next");
    world.makeDirectory(path);
  }
  TreeRemoval removal(openDirectory(world.path), kj::str("tree"));
  kj::Maybe<FileResult<Done>> result;
  while (result == nullptr) result = removal.step(5);
  CHECK(KJ_ASSERT_NONNULL(result).is<Done>());
  CHECK_FALSE(world.has("tree"));
}

TEST_CASE("the removal of a tree is counted with its beginning, and once") {
  kj::TimerImpl timer(kj::origin<kj::TimePoint>());
  FilesTestWorld w(timer);
  w.makeDirectory("tree");
  for (int i = 0; i < 300; i++) w.put(kj::str("tree/f", i), "x");
  const auto before = w.counters->changes;
  auto request = w.files.removeRequest();
  request.setPath(bytesOf("tree"));
  request.setRecursive(true);
  auto removal = request.send();
  // The next step is the next time's.
  CHECK_FALSE(removal.poll(w.scope));
  SECTION("by a client that stays") {
    while (!removal.poll(w.scope)) timer.advanceTo(timer.now() + 1 * kj::MILLISECONDS);
    CHECK(removal.wait(w.scope).getOutcome().isDone());
  }
  SECTION("by one that goes meanwhile") {
    {
      auto givenUp = kj::mv(removal);
    }
    w.scope.poll();
    CHECK(w.world.has("root/tree"));
  }
  CHECK(w.counters->changes == before + 1);
}

}  // namespace
}  // namespace bothy
