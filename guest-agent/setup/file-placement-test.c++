#include "setup/file-placement.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/filesystem.h>

#include <catch2/catch_test_macros.hpp>

#include "process/text-file.h"

namespace bothy {
namespace {

struct Directory {
  char path[32] = "/tmp/bothy-place-XXXXXX";
  Directory() { KJ_ASSERT(mkdtemp(path) != nullptr); }
  ~Directory() {
    kj::newDiskFilesystem()->getRoot().remove(kj::Path::parse(kj::StringPtr(path).slice(1)));
  }
  kj::String of(kj::StringPtr name) { return kj::str(path, '/', name); }
  // Of this process's user.
  kj::Maybe<kj::String> place(kj::StringPtr name, kj::StringPtr content, mode_t mode = 0640) {
    auto file = of(name);
    return placeFile({file, geteuid(), getegid(), mode, content.asBytes()});
  }
};

TEST_CASE(
    "a file is placed with its mode, in directories that are made, and replaces what is there") {
  Directory d;
  CHECK(d.place("a/b/file", "one", 0640) == nullptr);
  CHECK(d.place("a/b/file", "two", 04755) == nullptr);
  CHECK(readTextFile(d.of("a/b/file")) == "two");
  struct stat status;
  REQUIRE(stat(d.of("a/b/file").cStr(), &status) == 0);
  CHECK((status.st_mode & 07777) == 04755);
  REQUIRE(stat(d.of("a").cStr(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0755);
}

TEST_CASE("what a try that was killed has left is in nobody's way") {
  Directory d;
  REQUIRE(symlink("/etc/passwd", d.of(".bothy-setup-new").cStr()) == 0);
  CHECK(d.place("file", "whole") == nullptr);
  CHECK(readTextFile(d.of("file")) == "whole");
  CHECK(access(d.of(".bothy-setup-new").cStr(), F_OK) != 0);
}

TEST_CASE("S01 no symbolic link leads a file to where its owner may not write") {
  Directory d;
  REQUIRE(mkdir(d.of("elsewhere").cStr(), 0755) == 0);
  REQUIRE(symlink("elsewhere", d.of("link").cStr()) == 0);
  auto refused = d.place("link/file", "x");
  CHECK(strstr(KJ_ASSERT_NONNULL(refused).cStr(), "symbolic link") != nullptr);
  CHECK(access(d.of("elsewhere/file").cStr(), F_OK) != 0);
  // One in the place of the file is replaced, and not followed.
  REQUIRE(symlink("elsewhere/other", d.of("file").cStr()) == 0);
  CHECK(d.place("file", "x") == nullptr);
  CHECK(access(d.of("elsewhere/other").cStr(), F_OK) != 0);
}

TEST_CASE("what is no absolute path of a file is refused") {
  for (auto path : {"relative"_kj, "/"_kj, "/tmp/"_kj, "/tmp/../x"_kj, "/tmp/./x"_kj}) {
    CHECK(placeFile({path, geteuid(), getegid(), 0644, nullptr}) != nullptr);
  }
  Directory d;
  REQUIRE(mkdir(d.of("directory").cStr(), 0755) == 0);
  CHECK(d.place("directory", "x") != nullptr);
  CHECK(access(d.of(".bothy-setup-new").cStr(), F_OK) != 0);
}

}  // namespace
}  // namespace bothy
