#include "transfer/pending-entry.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <catch2/catch_test_macros.hpp>

#include "console/failure.h"

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

TEST_CASE(
    "a file goes to where a symlink in its place leads, and to nothing where it leads to nothing") {
  Scratch scratch;
  KJ_SYSCALL(symlink("real", scratch.path("link").cStr()));
  auto begin = [&] { PendingEntry(LocalPlace::find(scratch.path("link"), "x")); };
  CHECK(kj::runCatchingExceptions(begin) != nullptr);
  scratch.view->openFile(kj::Path({"real"}), kj::WriteMode::CREATE)->writeAll("old");
  PendingEntry entry(LocalPlace::find(scratch.path("link"), "x"));
  write(entry, "new");
  entry.commit({0644, 0});
  CHECK(scratch.read("real") == "new");
  struct stat status{};
  KJ_SYSCALL(lstat(scratch.path("link").cStr(), &status));
  CHECK(S_ISLNK(status.st_mode));
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
