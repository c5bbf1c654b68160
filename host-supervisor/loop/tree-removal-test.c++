#include "loop/tree-removal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>
#include <kj/thread.h>
#include <kj/vector.h>
#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <fstream>

namespace bothy {
namespace {

namespace stdfs = std::filesystem;

struct Place {
  char directory[32] = "/tmp/bothy-deep-XXXXXX";

  Place() { KJ_ASSERT(mkdtemp(directory) != nullptr); }
  ~Place() noexcept(false) { removeTree(directory); }
  kj::String path(kj::StringPtr name) const { return kj::str(directory, "/", name); }
};

// A file in each directory, and the next directory, whose name no path could have so often.
void makeDeep(kj::StringPtr path, size_t depth) {
  KJ_SYSCALL(mkdir(path.cStr(), 0700));
  int fd;
  KJ_SYSCALL(fd = open(path.cStr(), O_DIRECTORY | O_CLOEXEC));
  kj::AutoCloseFd current(fd);
  for (size_t i = 0; i < depth; i++) {
    KJ_SYSCALL(fd = openat(current, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    kj::AutoCloseFd file(fd);
    KJ_SYSCALL(mkdirat(current, "directory", 0700));
    KJ_SYSCALL(fd = openat(current, "directory", O_DIRECTORY | O_CLOEXEC));
    current = kj::AutoCloseFd(fd);
  }
}

TEST_CASE("S01 P29 a tree of 20,000 directories, one in the other, is removed") {
  Place place;
  auto deep = place.path("deep");
  makeDeep(deep, 20'000);
  CHECK(removeTree(deep));
  CHECK(access(deep.cStr(), F_OK) < 0);
  CHECK_FALSE(removeTree(deep));
}

TEST_CASE("P29 a directory is emptied of all kinds of files, and what links in it name is left") {
  Place place;
  auto kept = place.path("kept"), emptied = place.path("emptied");
  for (auto& path : {kept.asPtr(), emptied.asPtr()}) KJ_SYSCALL(mkdir(path.cStr(), 0700));
  std::ofstream(kj::str(kept, "/file").cStr()) << "kept";
  for (auto name : {"one", "two", "three"}) {
    auto below = kj::str(emptied, "/", name);
    KJ_SYSCALL(mkdir(below.cStr(), 0700));
    KJ_SYSCALL(mkdir(kj::str(below, "/empty").cStr(), 0700));
    KJ_SYSCALL(mkfifo(kj::str(below, "/pipe").cStr(), 0600));
    KJ_SYSCALL(symlink(kept.cStr(), kj::str(below, "/link").cStr()));
    KJ_SYSCALL(link(kj::str(kept, "/file").cStr(), kj::str(below, "/file").cStr()));
  }
  CHECK(emptyDirectory(emptied));
  CHECK(stdfs::is_empty(emptied.cStr()));
  CHECK(stdfs::exists(kj::str(kept, "/file").cStr()));
  CHECK_FALSE(emptyDirectory(place.path("missing")));
  // A link in the place of the directory is nobody's directory.
  auto link = place.path("link");
  KJ_SYSCALL(symlink(kept.cStr(), link.cStr()));
  CHECK_THROWS(emptyDirectory(link));
  CHECK(stdfs::exists(kj::str(kept, "/file").cStr()));
}

TEST_CASE("S20 two removers of one tree do not disturb each other") {
  Place place;
  for (int tries = 0; tries < 20; ++tries) {
    auto deep = place.path("deep");
    makeDeep(deep, 100);
    auto remove = [&]() { removeTree(deep); };
    kj::Maybe<kj::Exception> failure;
    {
      kj::Thread other([&]() { failure = kj::runCatchingExceptions(remove); });
      CHECK(kj::runCatchingExceptions(remove) == nullptr);
    }
    CHECK(failure == nullptr);
    CHECK(access(deep.cStr(), F_OK) < 0);
  }
}

TEST_CASE("S20 a directory that is emptied is its user's no more") {
  Place place;
  auto top = place.path("top"), below = kj::str(top, "/below");
  kj::Vector<kj::AutoCloseFd> directories;
  for (auto& path : {top.asPtr(), below.asPtr()}) {
    KJ_SYSCALL(mkdir(path.cStr(), 0700));
    KJ_SYSCALL(chmod(path.cStr(), 0777));
    constexpr uid_t USER = 12345;
    if (geteuid() == 0) {
      KJ_SYSCALL(chown(path.cStr(), USER, USER));
    }
    int fd;
    KJ_SYSCALL(fd = open(path.cStr(), O_DIRECTORY | O_CLOEXEC));
    directories.add(fd);
  }
  std::ofstream(kj::str(below, "/file").cStr())
      << "a directory with something in it is looked into";
  CHECK(emptyDirectory(top));
  for (auto& directory : directories) {
    struct stat stats;
    KJ_SYSCALL(fstat(directory, &stats));
    CHECK(stats.st_uid == geteuid());
    CHECK((stats.st_mode & 0777) == 0700);
  }
}

TEST_CASE("P29 what is in the place of a tree and no directory is removed") {
  Place place;
  auto kept = place.path("kept"), file = place.path("file"), link = place.path("link");
  makeDeep(kept, 1);
  std::ofstream(file.cStr()) << "no directory";
  KJ_SYSCALL(symlink(kept.cStr(), link.cStr()));
  for (auto& path : {file.asPtr(), link.asPtr()}) {
    CHECK(removeTree(path));
    CHECK_FALSE(removeTree(path));
  }
  CHECK(stdfs::exists(kj::str(kept, "/file").cStr()));
}

}  // namespace
}  // namespace bothy
