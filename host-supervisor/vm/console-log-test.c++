#include "vm/console-log.h"

#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/async-io.h>
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

// A console that always has something to read, so many bytes at a time.
class FullConsole final: public kj::AsyncIoStream {
public:
  explicit FullConsole(size_t bytes, uint64_t& said) : bytes(bytes), said(said) {}

  kj::Promise<size_t> tryRead(void* buffer, size_t, size_t maxBytes) override {
    auto count = kj::min(bytes, maxBytes);
    memset(buffer, 'x', count);
    said += count;
    return count;
  }
  kj::Promise<void> write(const void*, size_t) override { return kj::READY_NOW; }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>>) override {
    return kj::READY_NOW;
  }
  kj::Promise<void> whenWriteDisconnected() override { return kj::NEVER_DONE; }
  void shutdownWrite() override {}

private:
  const size_t bytes;
  uint64_t& said;
};

TEST_CASE("S01 a console that never pauses is read at a pace, and keeps nobody else waiting") {
  for (size_t bytes : {size_t(1), 16 * CONSOLE_TURN_BYTES}) {
    INFO(bytes << " bytes at a time");
    File file;
    kj::EventLoop loop;
    kj::WaitScope scope(loop);
    kj::TimerImpl timer(kj::origin<kj::TimePoint>());
    ConsoleLog log(file.path);
    uint64_t said = 0;
    auto word = kj::newPromiseAndFulfiller<void>();
    auto recording = log.record(timer, kj::heap<FullConsole>(bytes, said), kj::mv(word.fulfiller));
    // Each turn ends, and the next begins in its time.
    CHECK_FALSE(recording.poll(scope));
    const auto turn = said;
    CHECK(turn > 0);
    CHECK(turn <= CONSOLE_TURN_BYTES);
    timer.advanceTo(timer.now() + CONSOLE_PAUSE);
    CHECK_FALSE(recording.poll(scope));
    CHECK(said == 2 * turn);
  }
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

TEST_CASE("P30 a console log on a full disk says what it lost, and goes on when there is room") {
  if (geteuid() != 0) SKIP("mounting wants root");
  char directory[] = "/tmp/bothy-console-XXXXXX";
  KJ_REQUIRE(mkdtemp(directory) != nullptr);
  KJ_DEFER(rmdir(directory));
  KJ_SYSCALL(mount("tmpfs", directory, "tmpfs", 0, "size=64k"));
  KJ_DEFER(umount2(directory, MNT_DETACH));
  auto path = kj::str(directory, "/log"), ballast = kj::str(directory, "/ballast");
  ConsoleLog log(path);
  log.append("before\n"_kj.asBytes());
  std::ofstream(ballast.cStr()) << std::string(64 * 1024, 'x');
  auto much = kj::heapArray<kj::byte>(8192);
  memset(much.begin(), 'y', much.size());
  log.append(much);
  unlink(ballast.cStr());
  log.append("after\n"_kj.asBytes());
  auto fs = kj::newDiskFilesystem();
  CHECK(fs->getRoot().openFile(fs->getCurrentPath().evalNative(path))->readAllText() ==
        "before\n\n[8192 bytes of the console are lost: the host's disk was full]\nafter\n");
}

}  // namespace
}  // namespace bothy
