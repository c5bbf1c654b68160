#include "logging/log.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

// What `body` logs, read back from a file.
template <typename Body>
kj::String logged(LogFormat format, LogLevel level, Body&& body) {
  char path[] = "/tmp/bothy-log-XXXXXX";
  int fd = mkstemp(path);
  REQUIRE(fd >= 0);
  close(fd);
  KJ_DEFER(unlink(path));
  {
    Log log(format, level, path);
    body();
  }
  struct stat stats;
  REQUIRE(stat(path, &stats) == 0);
  CHECK((stats.st_mode & 0777) == 0600);
  auto fs = kj::newDiskFilesystem();
  return fs->getRoot().openFile(kj::Path::parse(kj::StringPtr(path).slice(1)))->readAllText();
}

size_t lines(kj::StringPtr text) {
  size_t count = 0;
  for (char c : text) count += c == '\n';
  return count;
}

TEST_CASE("S08 what a guest says cannot forge a line of the log") {
  kj::StringPtr hostile = "nice\n2026-01-01 error root logged in\x1b[2J";
  auto text = logged(LogFormat::TEXT, LogLevel::INFO,
                     [&]() { KJ_LOG(WARNING, "the guest says", hostile); });
  CHECK(lines(text) == 1);
  CHECK(text.findFirst('\x1b') == nullptr);

  auto json = logged(LogFormat::JSON, LogLevel::INFO,
                     [&]() { KJ_LOG(WARNING, "the guest says", hostile); });
  CHECK(lines(json) == 1);
  CHECK(json.findFirst('\x1b') == nullptr);
  CHECK(json.startsWith("{\"time\":\""));
}

TEST_CASE("lines below the level are not written") {
  auto text = logged(LogFormat::TEXT, LogLevel::ERROR, []() {
    KJ_LOG(INFO, "one");
    KJ_LOG(ERROR, "two");
  });
  CHECK(lines(text) == 1);
}

TEST_CASE("JSON strings are quoted") {
  CHECK(jsonString("a\"b\\c\n") == "\"a\\\"b\\\\c\\u000a\"");
}

}  // namespace
}  // namespace bothy
