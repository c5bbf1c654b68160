#include "config/arguments.h"

#include <kj/debug.h>
#include <stdlib.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

struct File {
  char path[32] = "/tmp/bothy-config-XXXXXX";
  explicit File(kj::StringPtr text) {
    int fd = mkstemp(path);
    KJ_ASSERT(fd >= 0);
    KJ_ASSERT(write(fd, text.begin(), text.size()) == text.size());
    close(fd);
  }
  ~File() { unlink(path); }
};

template <typename... Arguments>
Task read(Arguments... arguments) {
  kj::StringPtr list[] = {arguments...};
  return readArguments(list);
}

TEST_CASE("flags count more than the file") {
  File file("default-cpus = 2\ndefault-memory = 1024\n");
  auto task = read("--config", file.path, "--default-cpus=4", "--state-dir", "/srv");
  REQUIRE(task.is<Serve>());
  auto& settings = task.get<Serve>().settings;
  CHECK(settings.defaultCpus == 4);
  CHECK(settings.defaultMemoryMib == 1024);
  CHECK(settings.stateDir == "/srv");
}

TEST_CASE("every fault is told at once, with where it stands") {
  File file("default-cpus = none\n");
  auto task = read("--config", file.path, "--uid-count=0", "stray", "--log-file");
  REQUIRE(task.is<Faults>());
  auto& lines = task.get<Faults>().lines;
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].startsWith("stray: "));
  CHECK(lines[1] == "--log-file: it wants a value");
  CHECK(lines[2].startsWith(kj::str(file.path, ":1: default-cpus: ")));
  CHECK(lines[3].startsWith("--uid-count: "));
}

TEST_CASE("a setting that there is none of is told as that, with a value or without") {
  Task tasks[] = {read("--frob"), read("--frob", "1"), read("--frob=1")};
  for (auto& task : tasks) {
    REQUIRE(task.is<Faults>());
    auto& lines = task.get<Faults>().lines;
    REQUIRE(lines.size() == 1);
    CHECK(lines[0] == "--frob: there is no such setting; bothyd --help lists them");
  }
  auto task = read("--config");
  REQUIRE(task.is<Faults>());
  CHECK(task.get<Faults>().lines[0] == "--config: it wants a value");
}

TEST_CASE("a configuration file that is named must be there") {
  auto task = read("--config", "/nonexistent/bothyd.conf");
  REQUIRE(task.is<Faults>());
  CHECK(task.get<Faults>().lines[0].startsWith("/nonexistent/bothyd.conf:1: "));
}

TEST_CASE("checking a good configuration finds no fault") {
  File file("");
  CHECK(read("--config", file.path, "--check-config").is<CheckConfig>());
}

}  // namespace
}  // namespace bothy
