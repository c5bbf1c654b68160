#include "vm/console-file.h"

#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <catch2/catch_test_macros.hpp>

#include <fstream>
#include <string>

#include "vm/vm-driver.h"

namespace bothy {
namespace {

struct File {
  File() {
    char name[] = "/tmp/bothy-console-XXXXXX";
    close(mkstemp(name));
    path = kj::str(name);
  }
  ~File() { unlink(path.cStr()); }
  uint64_t size() {
    struct stat stats;
    KJ_SYSCALL(stat(path.cStr(), &stats));
    return stats.st_size;
  }
  kj::String path;
};

TEST_CASE("S09 a console that says 1 GiB leaves a log of fixed size with its last words") {
  File file;
  auto log = newConsoleFile(file.path);
  auto block = kj::heapArray<kj::byte>(64 * 1024);
  memset(block.begin(), 'x', block.size());
  uint64_t largest = 0;
  for (uint64_t written = 0; written < 1ull << 30; written += block.size()) {
    log->append(block);
    largest = kj::max(largest, file.size());
  }
  log->append("the end\n"_kj.asBytes());
  CHECK(largest <= CONSOLE_LIMIT_BYTES);
  CHECK(largest > CONSOLE_LIMIT_BYTES / 2);
  auto fs = kj::newDiskFilesystem();
  auto text = fs->getRoot().openFile(fs->getCurrentPath().evalNative(file.path))->readAllText();
  CHECK(text.endsWith("the end\n"));
  CHECK(kj::str(log->end().asChars()) == text.slice(text.size() - CONSOLE_END_BYTES));
}

TEST_CASE("a console's file goes on where it was after a restart") {
  File file;
  {
    newConsoleFile(file.path)->append("one "_kj.asBytes());
  }
  auto later = newConsoleFile(file.path);
  CHECK(kj::str(later->end().asChars()) == "one ");
  later->append("two"_kj.asBytes());
  auto fs = kj::newDiskFilesystem();
  CHECK(fs->getRoot().openFile(fs->getCurrentPath().evalNative(file.path))->readAllText() ==
        "one two");
}

TEST_CASE("P28 a console's file that is opened late is not left over where nobody waits for it") {
  File file;
  const std::atomic<bool> wanted = false, withdrawn = true;
  auto exists = [&]() { return access(file.path.cStr(), F_OK) == 0; };
  // It belongs to whoever has made it.
  openConsoleFile(file.path, withdrawn).file->append("one"_kj.asBytes());
  CHECK(exists());
  CHECK(file.size() == 3);

  KJ_SYSCALL(unlink(file.path.cStr()));
  openConsoleFile(file.path, withdrawn).file->append("two"_kj.asBytes());
  CHECK_FALSE(exists());

  openConsoleFile(file.path, wanted).file->append("word"_kj.asBytes());
  CHECK(kj::str(openConsoleFile(file.path, wanted).end.asChars()) == "word");
}

TEST_CASE("P30 a console log on a full disk says what it lost, and goes on when there is room") {
  if (geteuid() != 0) SKIP("mounting wants root");
  char directory[] = "/tmp/bothy-console-XXXXXX";
  KJ_REQUIRE(mkdtemp(directory) != nullptr);
  KJ_DEFER(rmdir(directory));
  KJ_SYSCALL(mount("tmpfs", directory, "tmpfs", 0, "size=64k"));
  KJ_DEFER(umount2(directory, MNT_DETACH));
  auto path = kj::str(directory, "/log"), ballast = kj::str(directory, "/ballast");
  auto log = newConsoleFile(path);
  log->append("before\n"_kj.asBytes());
  std::ofstream(ballast.cStr()) << std::string(64 * 1024, 'x');
  auto much = kj::heapArray<kj::byte>(8192);
  memset(much.begin(), 'y', much.size());
  log->append(much);
  log->lose(8);
  unlink(ballast.cStr());
  log->append("after\n"_kj.asBytes());
  log->lose(9);
  auto fs = kj::newDiskFilesystem();
  CHECK(fs->getRoot().openFile(fs->getCurrentPath().evalNative(path))->readAllText() ==
        "before\n\n[8200 bytes of the console are lost: the host's disk was full or slow]\nafter\n"
        "\n[9 bytes of the console are lost: the host's disk was full or slow]\n");
}

}  // namespace
}  // namespace bothy
