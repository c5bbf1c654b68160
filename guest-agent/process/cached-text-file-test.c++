#include "process/cached-text-file.h"

#include <stdlib.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <fstream>

#include "support/few-files.h"

namespace bothy {
namespace {

struct Scratch {
  Scratch() { KJ_ASSERT(mkdtemp(directory) != nullptr); }
  ~Scratch() { std::filesystem::remove_all(directory); }
  kj::String path(kj::StringPtr name = "file") { return kj::str(directory, "/", name); }
  void write(kj::StringPtr text, kj::StringPtr name = "file") {
    std::ofstream(path(name).cStr()) << text.cStr();
  }

  char directory[32] = "/tmp/bothy-cached-XXXXXX";
};

TEST_CASE("a file that changed just now is read each time, whatever its times say") {
  Scratch scratch;
  CachedTextFile file(scratch.path());
  // Of one size, and within a tick.
  for (auto text : {"one"_kj, "two"_kj, "six"_kj}) {
    scratch.write(text);
    CHECK(file.text() == text);
  }
}

// The time of a file may be ahead of time(2), by a tick.
constexpr time_t AT_ONCE = -1;

TEST_CASE("a file that did not change is not read again, and each change is seen") {
  Scratch scratch;
  scratch.write("one");
  CachedTextFile file(scratch.path(), AT_ONCE);
  auto first = file.text();
  CHECK(first == "one");
  CHECK(file.text().begin() == first.begin());

  SECTION("another in its place") {
    scratch.write("two", "other");
    KJ_SYSCALL(rename(scratch.path("other").cStr(), scratch.path().cStr()));
    CHECK(file.text() == "two");
  }
  SECTION("one of the same size, in place") {
    // Beyond the tick of its time.
    usleep(20 * 1000);
    scratch.write("two");
    CHECK(file.text() == "two");
  }
  SECTION("one that cannot be read for a while") {
    scratch.write("three");
    {
      FewFiles none(0);
      CHECK(file.text() == "");
    }
    CHECK(file.text() == "three");
  }
  SECTION("a longer one") {
    scratch.write("three");
    CHECK(file.text() == "three");
  }
  SECTION("its removal") {
    std::filesystem::remove(scratch.path().cStr());
    CHECK(file.text() == "");
    scratch.write("two");
    CHECK(file.text() == "two");
  }
  SECTION("a link in its place") {
    scratch.write("two", "other");
    std::filesystem::remove(scratch.path().cStr());
    std::filesystem::create_symlink("other", scratch.path().cStr());
    CHECK(file.text() == "two");
    scratch.write("three", "other");
    CHECK(file.text() == "three");
  }
}

TEST_CASE("P48 what is no regular file has no text, and one that tells no size is read each time") {
  Scratch scratch;
  std::filesystem::create_directory(scratch.path().cStr());
  CachedTextFile directory(scratch.path(), 0);
  CHECK(directory.text() == "");
  CachedTextFile usage(kj::str("/proc/self/stat"), 0);
  auto before = kj::str(usage.text());
  // Page faults and CPU time of our own are in it.
  bool isRead = false;
  for (int i = 0; i < 1000 * 1000 && !isRead; i++) isRead = usage.text() != before;
  CHECK(isRead);
}

}  // namespace
}  // namespace bothy
