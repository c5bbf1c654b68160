#include "actions/action-file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include <filesystem>

#include "process/text-file.h"

namespace bothy {
namespace {

struct Scratch {
  Scratch() { KJ_ASSERT(mkdtemp(directory) != nullptr); }
  ~Scratch() { std::filesystem::remove_all(directory); }
  kj::String path(kj::StringPtr name) { return kj::str(directory, "/log/", name); }
  kj::String text(kj::StringPtr name) { return readTextFile(path(name)); }

  char directory[32] = "/tmp/bothy-actions-XXXXXX";
};

TEST_CASE("actions are appended to a file that everybody may read") {
  Scratch scratch;
  ActionFile file(kj::str(scratch.directory, "/log"), 100);
  CHECK(file.append("one\n"_kj.asBytes()));
  CHECK(file.append("two\nthree\n"_kj.asBytes()));
  CHECK(scratch.text(ACTION_FILE) == "one\ntwo\nthree\n");
  struct stat status;
  REQUIRE(stat(scratch.path(ACTION_FILE).cStr(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0644);
}

TEST_CASE("the files of actions never have more than their bytes, and the newest are kept") {
  Scratch scratch;
  ActionFile file(kj::str(scratch.directory, "/log"), 20);
  for (auto line : {"11111\n"_kj, "2222\n"_kj, "33333\n"_kj, "444\n"_kj, "55555\n"_kj}) {
    CHECK(file.append(line.asBytes()));
    CHECK(scratch.text(ACTION_FILE).size() + scratch.text(EARLIER_ACTION_FILE).size() <= 20);
  }
  CHECK(scratch.text(EARLIER_ACTION_FILE) == "33333\n444\n");
  CHECK(scratch.text(ACTION_FILE) == "55555\n");
}

TEST_CASE("P48 what is in the place of the file of actions is neither followed nor waited for") {
  Scratch scratch;
  const auto directory = kj::str(scratch.directory, "/log");
  const auto elsewhere = kj::str(scratch.directory, "/elsewhere");
  ActionFile file(kj::str(directory), 100);
  SECTION("a link") {
    KJ_SYSCALL(mkdir(directory.cStr(), 0755));
    KJ_SYSCALL(symlink(elsewhere.cStr(), scratch.path(ACTION_FILE).cStr()));
    CHECK(file.append("one\n"_kj.asBytes()));
    CHECK(scratch.text(ACTION_FILE) == "one\n");
  }
  SECTION("a FIFO") {
    KJ_SYSCALL(mkdir(directory.cStr(), 0755));
    KJ_SYSCALL(mkfifo(scratch.path(ACTION_FILE).cStr(), 0644));
    CHECK(file.append("one\n"_kj.asBytes()));
    CHECK(scratch.text(ACTION_FILE) == "one\n");
  }
  SECTION("a directory") {
    std::filesystem::create_directories(scratch.path(ACTION_FILE).cStr());
    CHECK_FALSE(file.append("one\n"_kj.asBytes()));
  }
  SECTION("a link in the place of its directory") {
    KJ_SYSCALL(mkdir(elsewhere.cStr(), 0755));
    KJ_SYSCALL(symlink(elsewhere.cStr(), directory.cStr()));
    CHECK_FALSE(file.append("one\n"_kj.asBytes()));
    CHECK(std::filesystem::is_empty(elsewhere.cStr()));
  }
  CHECK_FALSE(std::filesystem::is_regular_file(elsewhere.cStr()));
}

}  // namespace
}  // namespace bothy
