#include "vm/console-log.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <catch2/catch_test_macros.hpp>

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
  ConsoleLog log(file.path);
  auto block = kj::heapArray<kj::byte>(64 * 1024);
  memset(block.begin(), 'x', block.size());
  uint64_t largest = 0;
  for (uint64_t written = 0; written < 1ull << 30; written += block.size()) {
    log.append(block);
    largest = kj::max(largest, file.size());
  }
  log.append("the end\n"_kj.asBytes());
  CHECK(largest <= CONSOLE_LIMIT_BYTES);
  CHECK(largest > CONSOLE_LIMIT_BYTES / 2);
  auto fs = kj::newDiskFilesystem();
  auto text = fs->getRoot().openFile(fs->getCurrentPath().evalNative(file.path))->readAllText();
  CHECK(text.endsWith("the end\n"));
}

TEST_CASE("a console log goes on where it was after a restart") {
  File file;
  {
    ConsoleLog(file.path).append("one "_kj.asBytes());
  }
  ConsoleLog(file.path).append("two"_kj.asBytes());
  auto fs = kj::newDiskFilesystem();
  CHECK(fs->getRoot().openFile(fs->getCurrentPath().evalNative(file.path))->readAllText() ==
        "one two");
}

}  // namespace
}  // namespace bothy
