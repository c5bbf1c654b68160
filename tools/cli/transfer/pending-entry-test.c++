#include "transfer/pending-entry.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <catch2/catch_test_macros.hpp>

#include "console/failure.h"
#include "tree/staged-tree.h"

namespace bothy {
namespace {

// A directory that is gone afterwards.
class Scratch final {
public:
  Scratch() {
    char path[] = "/tmp/bothy-pending-XXXXXX";
    KJ_REQUIRE(mkdtemp(path) != nullptr);
    directory = kj::str(path);
    auto disk = kj::newDiskFilesystem();
    view = disk->getRoot().openSubdir(kj::Path::parse(directory.slice(1)), kj::WriteMode::MODIFY);
  }
  ~Scratch() noexcept(false) {
    for (auto& name : view->listNames()) view->remove(kj::Path({name}));
    rmdir(directory.cStr());
  }

  kj::String path(kj::StringPtr name) { return kj::str(directory, "/", name); }
  kj::String names() { return kj::strArray(view->listNames(), " "); }
  kj::String read(kj::StringPtr name) { return view->openFile(kj::Path({name}))->readAllText(); }

  kj::Own<const kj::Directory> view;
  kj::String directory;
};

void write(PendingEntry& entry, kj::StringPtr text) {
  kj::FdOutputStream(entry.fd()).write(text.begin(), text.size());
}

TEST_CASE("a file appears whole, with its mode, or not at all") {
  Scratch scratch;
  {
    PendingEntry entry(LocalPlace::find(scratch.path("a"), "x"));
    write(entry, "new");
    CHECK(scratch.view->tryOpenFile(kj::Path({"a"})) == nullptr);
    entry.commit({06757, -1});
  }
  CHECK(scratch.names() == "a");
  CHECK(scratch.read("a") == "new");
  struct stat status{};
  KJ_SYSCALL(stat(scratch.path("a").cStr(), &status));
  CHECK((status.st_mode & 07777) == 0757);  // no umask, and not setuid
  CHECK(status.st_mtim.tv_sec == -1);
  CHECK(status.st_mtim.tv_nsec == 999'999'999);

  {
    PendingEntry entry(LocalPlace::find(scratch.path("a"), "x"));
    write(entry, "half");
  }
  CHECK(scratch.names() == "a");
  CHECK(scratch.read("a") == "new");
}

TEST_CASE("a copy into a directory keeps its name") {
  Scratch scratch;
  PendingEntry entry(LocalPlace::find(scratch.directory, "x"));
  entry.commit({0644, 0});
  CHECK(scratch.names() == "x");
}

TEST_CASE("S06 a file takes the place of a symlink there, wherever that leads") {
  Scratch scratch;
  scratch.view->openFile(kj::Path({"real"}), kj::WriteMode::CREATE)->writeAll("old");
  scratch.view->openSubdir(kj::Path({"d"}), kj::WriteMode::CREATE);
  for (auto target : {"real", "nowhere", "d"}) {
    INFO(target);
    KJ_SYSCALL(symlink(target, scratch.path("x").cStr()));
    PendingEntry entry(LocalPlace::find(scratch.directory, "x"));
    write(entry, "new");
    entry.commit({0644, 0});
    CHECK(scratch.names() == "d real x");
    CHECK(scratch.read("x") == "new");
    CHECK(scratch.read("real") == "old");
    CHECK(scratch.view->openSubdir(kj::Path({"d"}))->listNames().size() == 0);
    KJ_SYSCALL(unlink(scratch.path("x").cStr()));
  }
}

TEST_CASE(
    "S06 no file and no symlink takes the place of one that stands for what is open, or for a "
    "device") {
  Scratch scratch;
  KJ_SYSCALL(mkfifo(scratch.path("pipe").cStr(), 0600));
  for (auto target : {"/proc/self/fd/0", "/dev/null", "pipe"}) {
    INFO(target);
    KJ_SYSCALL(symlink(target, scratch.path("x").cStr()));
    auto place = [&]() { return LocalPlace::find(scratch.path("x"), "y"); };
    for (auto& thrown : {kj::runCatchingExceptions([&] { PendingEntry entry(place()); }),
                         kj::runCatchingExceptions([&] { placeSymlink(place(), "/there", 0); })}) {
      CHECK(describe(KJ_REQUIRE_NONNULL(thrown)).exitCode == FAILURE);
    }
    char found[64] = {};
    KJ_SYSCALL(readlink(scratch.path("x").cStr(), found, sizeof(found) - 1));
    CHECK(kj::StringPtr(found) == target);
    KJ_SYSCALL(unlink(scratch.path("x").cStr()));
  }
  CHECK(scratch.names() == "pipe");
}

TEST_CASE(
    "S06 a symlink to a directory is followed as the target if a slash says so, else refused") {
  Scratch scratch;
  scratch.view->openSubdir(kj::Path({"d"}), kj::WriteMode::CREATE);
  KJ_SYSCALL(symlink("d", scratch.path("link").cStr()));
  for (auto kind : {LocalPlace::Kind::FILE, LocalPlace::Kind::DIRECTORY}) {
    auto thrown =
        kj::runCatchingExceptions([&] { LocalPlace::find(scratch.path("link"), "x", kind); });
    CHECK(describe(KJ_REQUIRE_NONNULL(thrown)).exitCode == FAILURE);
    CHECK(LocalPlace::find(scratch.path("link/"), "x", kind).name == "x");
  }
  placeSymlink(LocalPlace::find(scratch.path("link/"), "x"), "/over/there", 0);
  CHECK(scratch.names() == "d link");
  CHECK(scratch.view->openSubdir(kj::Path({"d"}))->listNames().size() == 1);
}

TEST_CASE("a directory that is to be made may be named with a slash, a file may not") {
  Scratch scratch;
  auto place = LocalPlace::find(scratch.path("new//"), "x", LocalPlace::Kind::DIRECTORY);
  CHECK(place.name == "new");
  CHECK(kj::runCatchingExceptions([&] { LocalPlace::find(scratch.path("new/"), "x"); }) != nullptr);
}

TEST_CASE("a symlink takes a file's place in one step, with its time") {
  Scratch scratch;
  scratch.view->openFile(kj::Path({"a"}), kj::WriteMode::CREATE)->writeAll("old");
  placeSymlink(LocalPlace::find(scratch.path("a"), "x"), "/over/there", 1'500'000'000);
  struct stat status{};
  KJ_SYSCALL(lstat(scratch.path("a").cStr(), &status));
  CHECK(S_ISLNK(status.st_mode));
  CHECK(status.st_mtim.tv_nsec == 500'000'000);
  CHECK(scratch.names() == "a");
}

TEST_CASE("P41 what a crash left of a copy goes with the next one, and one under way stays") {
  Scratch scratch;
  auto leftOver = stagingName("a", 0);
  scratch.view->openFile(kj::Path({leftOver}), kj::WriteMode::CREATE)->writeAll("left over");
  PendingEntry first(LocalPlace::find(scratch.path("a"), "x"));
  write(first, "first");
  PendingEntry second(LocalPlace::find(scratch.path("a"), "x"));
  write(second, "second");
  second.commit({0644, 0});
  CHECK(scratch.read("a") == "second");
  first.commit({0644, 0});
  CHECK(scratch.read("a") == "first");
  CHECK(scratch.names() == "a");

  KJ_SYSCALL(symlink("left-over", scratch.path(leftOver).cStr()));
  placeSymlink(LocalPlace::find(scratch.path("a"), "x"), "/over/there", 0);
  CHECK(scratch.names() == "a");
}

TEST_CASE("what is no regular file is not replaced") {
  Scratch scratch;
  KJ_SYSCALL(mkfifo(scratch.path("pipe").cStr(), 0600));
  auto thrown =
      kj::runCatchingExceptions([&] { PendingEntry(LocalPlace::find(scratch.path("pipe"), "x")); });
  CHECK(describe(KJ_REQUIRE_NONNULL(thrown)).exitCode == FAILURE);
  CHECK(scratch.names() == "pipe");
}

}  // namespace
}  // namespace bothy
