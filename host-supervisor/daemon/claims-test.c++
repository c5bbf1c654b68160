#include "daemon/claims.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <fstream>

namespace bothy {
namespace {

namespace stdfs = std::filesystem;

constexpr uint32_t FIRST = 700000;

struct Place {
  Place() {
    char name[] = "/tmp/bothy-claims-XXXXXX";
    KJ_REQUIRE(mkdtemp(name) != nullptr);
    parent = kj::str(name);
    claims = kj::str(name, "/claims");
  }
  ~Place() { stdfs::remove_all(parent.cStr()); }
  kj::String failure() const {
    KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { claimUserIds(FIRST, 10, claims); })) {
      return kj::str(exception->getDescription());
    }
    return kj::str("claimed");
  }
  kj::String parent;
  kj::String claims;
};

bool has(kj::StringPtr text, kj::StringPtr part) {
  return strstr(text.cStr(), part.cStr()) != nullptr;
}

#define NEEDS_ROOT() \
  if (getuid() != 0) SKIP("the directory is root's")

TEST_CASE("S20 a range of user ids is one bothyd's as long as it holds it") {
  NEEDS_ROOT();
  Place place;
  {
    auto mine = claimUserIds(FIRST, 10, place.claims);
    struct stat stats;
    KJ_SYSCALL(stat(place.claims.cStr(), &stats));
    CHECK((stats.st_mode & 07777) == 0700);
    CHECK(has(place.failure(), "another bothyd of this host"));
    // Two more are bothyd's own.
    CHECK_THROWS(claimUserIds(FIRST + 11, 1, place.claims));
    claimUserIds(FIRST + 12, 10, place.claims);
  }
  CHECK(place.failure() == "claimed");
}

TEST_CASE("S20 no local user can be first at the lock of user ids") {
  struct stat stats;
  auto slash = KJ_ASSERT_NONNULL(CLAIMS_DIRECTORY.findLast('/'));
  KJ_SYSCALL(stat(kj::heapString(CLAIMS_DIRECTORY.slice(0, slash)).cStr(), &stats));
  CHECK(stats.st_uid == 0);
  CHECK((stats.st_mode & 0022) == 0);
}

TEST_CASE("S20 what somebody planted in place of the lock of user ids is refused by name at once") {
  NEEDS_ROOT();
  Place place;
  auto path = place.claims.cStr();
  auto expectRefusal = [&](kj::StringPtr part) {
    auto failure = place.failure();
    INFO(failure.cStr());
    CHECK(has(failure, part));
    CHECK(has(failure, place.claims));
    stdfs::remove_all(path);
  };
  KJ_SYSCALL(mkfifo(path, 0666));
  expectRefusal("Not a directory");
  std::ofstream(path) << "text";
  expectRefusal("Not a directory");
  stdfs::create_directory_symlink(place.parent.cStr(), path);
  expectRefusal("Not a directory");
  stdfs::create_directory(path);
  KJ_SYSCALL(chown(path, 1000, 0));
  expectRefusal("other than root");
  stdfs::create_directory(path);
  KJ_SYSCALL(chmod(path, 0777));
  expectRefusal("other than root");
  CHECK(place.failure() == "claimed");
}

}  // namespace
}  // namespace bothy
