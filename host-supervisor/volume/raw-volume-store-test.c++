#include "volume/raw-volume-store.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr uint64_t MEBIBYTE = 1024 * 1024;

class TemporaryDirectory {
public:
  TemporaryDirectory() { KJ_ASSERT(mkdtemp(name) != nullptr); }
  ~TemporaryDirectory() noexcept(false) {
    auto fs = kj::newDiskFilesystem();
    fs->getRoot().remove(kj::Path::parse(path().slice(1)));
  }
  kj::StringPtr path() { return name; }

private:
  char name[32] = "/tmp/bothy-volume-XXXXXX";
};

struct Fixture {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  TemporaryDirectory temporary;
  kj::String directory = kj::str(temporary.path(), "/volumes");
  RawVolumeStore store{directory};
  uint32_t self = getuid();
};

kj::StringPtr ID = "0123456789abcdef0123456789abcdef"_kj;

TEST_CASE("a volume has exactly its size, takes no space and is its user's alone") {
  Fixture f;
  f.store.create(ID, 64 * MEBIBYTE, f.self).wait(f.scope);
  struct stat stats;
  REQUIRE(stat(f.store.path(ID).cStr(), &stats) == 0);
  CHECK(stats.st_size == 64 * MEBIBYTE);
  CHECK(stats.st_blocks * 512 < MEBIBYTE);
  CHECK((stats.st_mode & 07777) == 0600);
  CHECK(stats.st_uid == f.self);
}

TEST_CASE("P28 making and destroying a volume may be done again") {
  Fixture f;
  f.store.destroy(ID).wait(f.scope);
  f.store.create(ID, MEBIBYTE, f.self).wait(f.scope);
  f.store.create(ID, 2 * MEBIBYTE, f.self).wait(f.scope);
  struct stat stats;
  REQUIRE(stat(f.store.path(ID).cStr(), &stats) == 0);
  CHECK(stats.st_size == 2 * MEBIBYTE);
  f.store.destroy(ID).wait(f.scope);
  f.store.destroy(ID).wait(f.scope);
  CHECK(stat(f.store.path(ID).cStr(), &stats) < 0);
}

TEST_CASE("a volume that the host cannot hold is refused and leaves nothing") {
  Fixture f;
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions(
                              [&]() { f.store.create(ID, 1ull << 62, f.self).wait(f.scope); })) {
    CHECK(exception->getType() == kj::Exception::Type::OVERLOADED);
  } else {
    FAIL("made a volume of 4 EiB");
  }
  CHECK(rmdir(f.directory.cStr()) == 0);
}

TEST_CASE("P29 strays are removed, also half-made ones") {
  Fixture f;
  auto kept = kj::str("aa"), stray = kj::str("bb");
  f.store.create(kept, MEBIBYTE, f.self).wait(f.scope);
  f.store.create(stray, MEBIBYTE, f.self).wait(f.scope);
  auto fs = kj::newDiskFilesystem();
  auto half = kj::Path::parse(f.directory.slice(1)).append("cc.raw.new");
  fs->getRoot().openFile(half, kj::WriteMode::CREATE);

  kj::StringPtr known[] = {kept};
  auto removed = f.store.removeStrays(known).wait(f.scope);
  CHECK(removed.size() == 2);
  CHECK(access(f.store.path(kept).cStr(), F_OK) == 0);
  CHECK(access(f.store.path(stray).cStr(), F_OK) < 0);
  CHECK_FALSE(fs->getRoot().exists(half));
  CHECK(f.store.removeStrays(known).wait(f.scope).size() == 0);
}

TEST_CASE("a name that could leave the directory is refused") {
  Fixture f;
  CHECK_THROWS(f.store.path("../etc/passwd"));
  CHECK_THROWS(f.store.path(""));
}

}  // namespace
}  // namespace bothy
