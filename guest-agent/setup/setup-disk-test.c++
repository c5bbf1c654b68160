#include "setup/setup-disk.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <kj/debug.h>
#include <kj/filesystem.h>

#include <catch2/catch_test_macros.hpp>

#include "process/text-file.h"

namespace bothy {
namespace {

struct Directory {
  char path[32] = "/tmp/bothy-setup-XXXXXX";
  Directory() { KJ_ASSERT(mkdtemp(path) != nullptr); }
  ~Directory() {
    kj::newDiskFilesystem()->getRoot().remove(kj::Path::parse(kj::StringPtr(path).slice(1)));
  }
  kj::String of(kj::StringPtr name) { return kj::str(path, '/', name); }
  kj::String read(kj::StringPtr name) { return readTextFile(of(name)); }
};

using Readers = SetupDisk::Readers;

SetupState failedAt(uint32_t step, StepFailure failure) {
  return {step, 1, kj::mv(failure)};
}

TEST_CASE("what the journal has is what was noted last, of these steps alone") {
  Directory d;
  SetupDisk disk(d.of("a/journal"), d.of("logs"));
  CHECK(disk.load("one").done == 0);
  disk.save("one", {2, 1, nullptr});
  CHECK(disk.load("one").done == 2);
  CHECK(disk.load("one").begun == 1);
  CHECK(disk.load("two").done == 0);
  disk.save("one", failedAt(2, {StepFailure::Kind::EXITED, 3}));
  auto state = disk.load("one");
  CHECK(state.done == 2);
  CHECK(KJ_ASSERT_NONNULL(state.failure).line() == "exited 3");
  disk.save("one", failedAt(2, StepFailure::other("a\nb: \x1b")));
  CHECK(KJ_ASSERT_NONNULL(disk.load("one").failure).text == "a b: \x1b");
}

TEST_CASE("P28 after a crash at any point the journal has this state or the one before") {
  for (int point = 1;; point++) {
    Directory d;
    SetupDisk(d.of("journal"), d.of("logs")).save("id", {4});
    int reached = 0;
    bool isCrashed = false;
    {
      SetupDisk dying(d.of("journal"), d.of("logs"), [&]() {
        if (++reached == point) KJ_FAIL_REQUIRE("a crash");
      });
      isCrashed = kj::runCatchingExceptions([&]() { dying.save("id", {5}); }) != nullptr;
    }
    SetupDisk next(d.of("journal"), d.of("logs"));
    const auto found = next.load("id");
    CHECK(found.failure == nullptr);
    CHECK((found.done == 4 || found.done == 5));
    if (!isCrashed) {
      CHECK(found.done == 5);
      CHECK(point > 4);
      return;
    }
    // It goes on from there.
    next.save("id", {6});
    CHECK(next.load("id").done == 6);
  }
}

TEST_CASE("a journal that was cut off is none") {
  Directory d;
  SetupDisk disk(d.of("journal"), d.of("logs"));
  disk.save("id", {3});
  auto text = d.read("journal/journal");
  auto root = kj::newDiskFilesystem()->getRoot().openSubdir(
      kj::Path::parse(kj::StringPtr(d.path).slice(1)), kj::WriteMode::MODIFY);
  root->openFile(kj::Path({"journal", "journal"}), kj::WriteMode::MODIFY)
      ->truncate(text.size() - 2);
  CHECK(disk.load("id").done == 0);
}

TEST_CASE("a log is for everybody, or for root alone, also where it is begun anew") {
  Directory d;
  SetupDisk disk(d.of("journal"), d.of("logs"));
  auto modeOf = [&](kj::StringPtr name) {
    struct stat status;
    REQUIRE(stat(d.of(name).cStr(), &status) == 0);
    return status.st_mode & 07777;
  };
  auto much = kj::heapArray<kj::byte>(100000);
  for (auto& byte : much) byte = 'x';
  for (auto readers : {Readers::EVERYBODY, Readers::NOBODY, Readers::EVERYBODY}) {
    const mode_t mode = readers == Readers::EVERYBODY ? 0644 : 0600;
    disk.beginLog(0, readers);
    CHECK(modeOf("logs/1.log") == mode);
    for (int i = 0; i < 15; i++) disk.append(much);
    CHECK(modeOf("logs/1.log") == mode);
    CHECK(modeOf("logs/1.log.old") == mode);
  }
}

TEST_CASE("a log keeps what an earlier try has said, and does not grow for ever") {
  Directory d;
  SetupDisk disk(d.of("journal"), d.of("logs"));
  disk.beginLog(0, Readers::EVERYBODY);
  disk.append("first\n"_kj.asBytes());
  disk.beginLog(0, Readers::EVERYBODY);
  disk.append("second\n"_kj.asBytes());
  CHECK(d.read("logs/1.log") == "second\n");
  CHECK(d.read("logs/1.log.old") == "first\n");
  struct stat status;
  auto much = kj::heapArray<kj::byte>(100000);
  for (auto& byte : much) byte = 'x';
  for (int i = 0; i < 50; i++) disk.append(much);
  disk.append("last\n"_kj.asBytes());
  REQUIRE(stat(d.of("logs/1.log").cStr(), &status) == 0);
  CHECK(status.st_size <= rpc::MAX_SETUP_LOG_BYTES);
  REQUIRE(stat(d.of("logs/1.log.old").cStr(), &status) == 0);
  CHECK(status.st_size <= rpc::MAX_SETUP_LOG_BYTES);
  CHECK(d.read("logs/1.log").endsWith("last\n"));
}

}  // namespace
}  // namespace bothy
