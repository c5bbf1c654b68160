#include "boot/temporary-files.h"

#include <kj/debug.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <fstream>

namespace bothy {
namespace {

namespace fs = std::filesystem;

struct Scratch {
  Scratch() {
    KJ_ASSERT(mkdtemp(directory) != nullptr);
    tmp = kj::str(directory, "/tmp");
    old = kj::str(directory, "/old");
    KJ_SYSCALL(mkdir(tmp.cStr(), 0700));
    KJ_SYSCALL(chmod(tmp.cStr(), 01777));
  }
  ~Scratch() { fs::remove_all(directory); }

  void put(kj::StringPtr name) { std::ofstream(kj::str(tmp, '/', name).cStr()) << "x"; }
  bool setAside() { return setAsideTemporaryFiles(tmp, old); }
  mode_t mode() {
    struct stat status;
    KJ_SYSCALL(lstat(tmp.cStr(), &status));
    return status.st_mode;
  }

  char directory[32] = "/tmp/bothy-tmp-XXXXXX";
  kj::String tmp, old;
};

TEST_CASE("what lay in /tmp is set aside, and /tmp is everybody's again") {
  Scratch scratch;
  scratch.put("socket");
  KJ_SYSCALL(chmod(scratch.tmp.cStr(), 0700));
  CHECK(scratch.setAside());
  CHECK(fs::is_empty(scratch.tmp.cStr()));
  CHECK(scratch.mode() == (S_IFDIR | 01777));
  CHECK(fs::exists(kj::str(scratch.old, "/0/socket").cStr()));
}

TEST_CASE("an empty /tmp leaves nothing to do") {
  Scratch scratch;
  CHECK_FALSE(scratch.setAside());
  CHECK_FALSE(fs::exists(scratch.old.cStr()));
}

TEST_CASE("what an earlier boot did not get to remove is told again, and hinders nothing") {
  Scratch scratch;
  scratch.put("one");
  CHECK(scratch.setAside());
  CHECK(scratch.setAside());
  scratch.put("two");
  CHECK(scratch.setAside());
  CHECK(fs::exists(kj::str(scratch.old, "/1/two").cStr()));
}

TEST_CASE("P48 whatever is in the place of /tmp stays as it is") {
  Scratch scratch;
  fs::remove(scratch.tmp.cStr());
  SECTION("nothing") {
    CHECK_FALSE(scratch.setAside());
    CHECK(scratch.mode() == (S_IFDIR | 01777));
  }
  SECTION("a link to something that counts") {
    auto precious = kj::str(scratch.directory, "/precious");
    fs::create_directory(precious.cStr());
    std::ofstream(kj::str(precious, "/file").cStr()) << "x";
    fs::create_directory_symlink(precious.cStr(), scratch.tmp.cStr());
    CHECK_FALSE(scratch.setAside());
    CHECK(fs::exists(kj::str(precious, "/file").cStr()));
    CHECK(S_ISLNK(scratch.mode()));
  }
  SECTION("a file") {
    std::ofstream(scratch.tmp.cStr()) << "x";
    CHECK_FALSE(scratch.setAside());
    CHECK(S_ISREG(scratch.mode()));
  }
}

TEST_CASE("P48 a link in the place of the directory for old files is not followed") {
  Scratch scratch;
  auto elsewhere = kj::str(scratch.directory, "/elsewhere");
  fs::create_directory(elsewhere.cStr());
  fs::create_directory_symlink(elsewhere.cStr(), scratch.old.cStr());
  scratch.put("file");
  CHECK(scratch.setAside());
  CHECK(fs::is_empty(elsewhere.cStr()));
  CHECK(fs::exists(kj::str(scratch.old, "/0/file").cStr()));
}

}  // namespace
}  // namespace bothy
