#include "process/text-file.h"

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

struct Scratch {
  Scratch() { KJ_ASSERT(mkdtemp(path) != nullptr); }
  ~Scratch() { std::filesystem::remove_all(path); }
  kj::String file() { return kj::str(path, "/file"); }

  char path[32] = "/tmp/bothy-text-XXXXXX";
};

TEST_CASE("P48 what is no regular file is none, and nobody waits for it") {
  Scratch scratch;
  auto path = scratch.file();
  SECTION("nothing") {}
  SECTION("a FIFO") {
    KJ_SYSCALL(mkfifo(path.cStr(), 0600));
  }
  SECTION("a directory") {
    KJ_SYSCALL(mkdir(path.cStr(), 0700));
  }
  SECTION("a device") {
    KJ_SYSCALL(symlink("/dev/zero", path.cStr()));
  }
  SECTION("a loop of symlinks") {
    KJ_SYSCALL(symlink(path.cStr(), path.cStr()));
  }
  CHECK(findTextFile(path) == nullptr);
  CHECK(readTextFile(path) == "");
}

TEST_CASE("P48 of a file that is too long its beginning is read") {
  Scratch scratch;
  std::ofstream(scratch.file().cStr()) << "12345678";
  CHECK(KJ_ASSERT_NONNULL(findTextFile(scratch.file(), 5)) == "12345");
  CHECK(KJ_ASSERT_NONNULL(findTextFile(scratch.file(), 100)) == "12345678");
  KJ_SYSCALL(truncate(scratch.file().cStr(), 100ll << 30));
  CHECK(readTextFile(scratch.file()).size() == MAX_TEXT_FILE_BYTES);
}

TEST_CASE("a file of /proc is read whole, though its size is 0") {
  CHECK(readTextFile("/proc/self/status").size() > 100);
}

TEST_CASE("lines end with a line feed or with the text") {
  auto text = "one\n\nthree"_kj;
  Lines lines(text.asArray());
  CHECK(kj::str(KJ_ASSERT_NONNULL(lines.next())) == "one");
  CHECK(kj::str(KJ_ASSERT_NONNULL(lines.next())) == "");
  CHECK(kj::str(KJ_ASSERT_NONNULL(lines.next())) == "three");
  CHECK(lines.next() == nullptr);
  auto ended = "one\n"_kj;
  Lines one(ended.asArray());
  CHECK(one.next() != nullptr);
  CHECK(one.next() == nullptr);
}

TEST_CASE("white space is cut off at both ends only") {
  CHECK(kj::str(trimmed(" \ta b\r\n"_kj.asArray())) == "a b");
  CHECK(kj::str(trimmed(" \n"_kj.asArray())) == "");
}

}  // namespace
}  // namespace bothy
