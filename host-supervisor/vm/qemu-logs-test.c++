#include "vm/qemu-logs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/async-io.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <fstream>
#include <string>

#include "support/log-record.h"

namespace bothy {
namespace {

namespace stdfs = std::filesystem;

struct Directory {
  Directory() {
    char name[] = "/tmp/bothy-qemu-logs-XXXXXX";
    KJ_REQUIRE(mkdtemp(name) != nullptr);
    path = kj::str(name);
  }
  ~Directory() { stdfs::remove_all(path.cStr()); }

  kj::String in(kj::StringPtr name) const { return kj::str(path, "/", name); }
  uint64_t size(kj::StringPtr name) const { return stdfs::file_size(in(name).cStr()); }

  kj::String path;
};

// Writes as QEMU does to its standard error.
class Writer final {
public:
  explicit Writer(kj::StringPtr path) {
    int raw;
    KJ_SYSCALL(raw = open(path.cStr(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    fd = kj::AutoCloseFd(raw);
  }
  void write(size_t bytes) {
    const std::string text(bytes, 'x');
    kj::FdOutputStream(fd.get()).write(text.data(), text.size());
  }

private:
  kj::AutoCloseFd fd;
};

TEST_CASE("S09 what a QEMU writes to its log is bounded, and it goes on to write") {
  Directory directory;
  Writer loud(directory.in("loud.log")), quiet(directory.in("quiet.log"));
  std::ofstream(directory.in("elsewhere").cStr()) << std::string(2 * QEMU_LOG_LIMIT_BYTES, 'x');
  loud.write(QEMU_LOG_LIMIT_BYTES);
  quiet.write(5);
  CHECK(cutQemuLogs(directory.path) == 1);
  CHECK(directory.size("loud.log") == QEMU_LOG_LIMIT_BYTES);
  loud.write(1);
  CHECK(cutQemuLogs(directory.path) == 1);
  CHECK(directory.size("loud.log") == 0);
  CHECK(directory.size("quiet.log") == 5);
  // Not behind a hole.
  loud.write(3);
  CHECK(directory.size("loud.log") == 3);
  CHECK(cutQemuLogs(directory.path) == 0);
}

TEST_CASE("S09 a link among QEMUs' logs, or none at all, costs nothing") {
  Directory directory;
  const auto victim = directory.in("victim");
  const auto logs = directory.in("logs");
  CHECK(cutQemuLogs(logs) == 0);
  stdfs::create_directory(logs.cStr());
  std::ofstream(victim.cStr()) << std::string(2 * QEMU_LOG_LIMIT_BYTES, 'x');
  stdfs::create_symlink(victim.cStr(), kj::str(logs, "/link.log").cStr());
  CHECK(cutQemuLogs(logs) == 0);
  CHECK(directory.size("victim") == 2 * QEMU_LOG_LIMIT_BYTES);
}

TEST_CASE("S09 logs of QEMUs are looked at again and again, and the log tells it once a minute") {
  kj::EventLoop loop;
  kj::WaitScope scope(loop);
  kj::TimerImpl timer(kj::origin<kj::TimePoint>());
  Directory directory;
  Writer loud(directory.in("loud.log"));
  LogRecord log;
  auto keeping = keepQemuLogsShort(timer, kj::str(directory.path));
  auto pass = [&]() {
    CHECK_FALSE(keeping.poll(scope));
    timer.advanceTo(timer.now() + QEMU_LOG_LOOK_PAUSE);
    CHECK_FALSE(keeping.poll(scope));
  };
  for (int i = 0; i < 10; ++i) {
    loud.write(QEMU_LOG_LIMIT_BYTES + 1);
    pass();
    CHECK(directory.size("loud.log") == 0);
  }
  REQUIRE(log.lines.size() == 1);
  for (int i = 0; i < 60; ++i) pass();
  REQUIRE(log.lines.size() == 2);
  CHECK(log.lines[1].endsWith("cut = 9"));
}

}  // namespace
}  // namespace bothy
