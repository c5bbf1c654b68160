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
    PendingEntry entry(LocalPlace::find(scratch.path("a"), "x"), EntryKind::FILE);
    write(entry, "new");
    CHECK(scratch.view->tryOpenFile(kj::Path({"a"})) == nullptr);
    entry.commit(06755);
  }
  CHECK(scratch.names() == "a");
  CHECK(scratch.read("a") == "new");
  struct stat status{};
  KJ_SYSCALL(stat(scratch.path("a").cStr(), &status));
  CHECK((status.st_mode & 06111) == 0111);  // executable, but not setuid

  {
    PendingEntry entry(LocalPlace::find(scratch.path("a"), "x"), EntryKind::FILE);
    write(entry, "half");
  }
  CHECK(scratch.names() == "a");
  CHECK(scratch.read("a") == "new");
}

TEST_CASE("a copy into a directory keeps its name") {
  Scratch scratch;
  PendingEntry entry(LocalPlace::find(scratch.directory, "x"), EntryKind::FILE);
  entry.commit(0644);
  CHECK(scratch.names() == "x");
}

TEST_CASE("a tree that is given up leaves nothing") {
  Scratch scratch;
  {
    PendingEntry entry(LocalPlace::find(scratch.path("t"), "x"), EntryKind::TREE);
    KJ_SYSCALL(mkdirat(entry.fd(), "sub", 0755));
    KJ_SYSCALL(symlinkat("/etc", entry.fd(), "link"));
  }
  CHECK(scratch.names() == "");
}

TEST_CASE("what is no regular file is not replaced") {
  Scratch scratch;
  KJ_SYSCALL(mkfifo(scratch.path("pipe").cStr(), 0600));
  auto thrown = kj::runCatchingExceptions(
      [&] { PendingEntry(LocalPlace::find(scratch.path("pipe"), "x"), EntryKind::FILE); });
  CHECK(describe(KJ_REQUIRE_NONNULL(thrown)).exitCode == FAILURE);
  CHECK(scratch.names() == "pipe");
}

}  // namespace
}  // namespace bothy
