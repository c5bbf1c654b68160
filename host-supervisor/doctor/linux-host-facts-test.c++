#include "doctor/linux-host-facts.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

struct Fixture {
  Fixture() {
    char name[] = "/tmp/bothy-facts-XXXXXX";
    KJ_REQUIRE(mkdtemp(name) != nullptr);
    directory = kj::str(name);
  }
  ~Fixture() { std::filesystem::remove_all(directory.cStr()); }

  kj::String write(kj::StringPtr name, const std::string& text) {
    auto path = kj::str(directory, "/", name);
    std::ofstream(path.cStr()) << text;
    return path;
  }

  LinuxHostFacts facts;
  kj::String directory;
};

TEST_CASE("a file's text is read without the line feeds at its end, and to a limit") {
  Fixture f;
  CHECK(KJ_ASSERT_NONNULL(f.facts.text(f.write("a", "one\ntwo\n\n"))) == "one\ntwo");
  CHECK(KJ_ASSERT_NONNULL(f.facts.text(f.write("b", "\n"))) == "");
  CHECK(f.facts.text(kj::str(f.directory, "/none")) == nullptr);
  CHECK(f.facts.text(f.directory) == nullptr);
  auto large = f.write("c", std::string(MAX_FACT_BYTES + 5, 'x'));
  CHECK(KJ_ASSERT_NONNULL(f.facts.text(large)).size() == MAX_FACT_BYTES);
  // Files of the kernel, whose size is told as 0.
  CHECK(KJ_ASSERT_NONNULL(f.facts.text("/proc/sys/kernel/osrelease")).size() > 0);
}

TEST_CASE("a FIFO in the place of a file holds nothing up") {
  Fixture f;
  auto path = kj::str(f.directory, "/fifo");
  KJ_SYSCALL(mkfifo(path.cStr(), 0600));
  CHECK(KJ_ASSERT_NONNULL(f.facts.text(path)) == "");
}

TEST_CASE("a directory's names are sorted, and what is not there has none") {
  Fixture f;
  f.write("b", "");
  f.write("a", "");
  auto names = f.facts.names(f.directory);
  REQUIRE(names.size() == 2);
  CHECK(names[0] == "a");
  CHECK(names[1] == "b");
  CHECK(f.facts.names("/nonexistent").size() == 0);
  CHECK(f.facts.exists(f.directory));
  CHECK_FALSE(f.facts.exists("/nonexistent"));
}

TEST_CASE("of a path that is not there yet the file system above it is told") {
  Fixture f;
  auto here = KJ_ASSERT_NONNULL(f.facts.fileSystem(f.directory));
  auto below = KJ_ASSERT_NONNULL(f.facts.fileSystem(kj::str(f.directory, "/not/yet")));
  CHECK(below.isInMemory == here.isInMemory);
  CHECK(f.facts.fileSystem("/nonexistent") != nullptr);
  CHECK(f.facts.fileSystem("") == nullptr);
  CHECK_FALSE(KJ_ASSERT_NONNULL(f.facts.fileSystem("/proc")).isInMemory);
  if (std::filesystem::exists("/dev/shm")) {
    CHECK(KJ_ASSERT_NONNULL(f.facts.fileSystem("/dev/shm/none")).isInMemory);
  }
}

TEST_CASE("every block device of this host is known by its own name") {
  LinuxHostFacts facts;
  CHECK(facts.blockDevice("/nonexistent") == nullptr);
  CHECK(facts.blockDevice("/proc") == nullptr);
  for (auto& name : facts.names("/sys/class/block")) {
    auto path = kj::str("/dev/", name);
    struct stat stats;
    if (stat(path.cStr(), &stats) < 0) continue;
    INFO(path.cStr());
    CHECK(KJ_ASSERT_NONNULL(facts.blockDevice(path)) == name);
  }
}

TEST_CASE("this process's user and core limit are told as they are at the moment") {
  LinuxHostFacts facts;
  CHECK(facts.user() == geteuid());
  struct rlimit before;
  KJ_SYSCALL(getrlimit(RLIMIT_CORE, &before));
  struct rlimit none = {0, before.rlim_max};
  KJ_SYSCALL(setrlimit(RLIMIT_CORE, &none));
  KJ_DEFER(setrlimit(RLIMIT_CORE, &before));
  CHECK(facts.coreLimitBytes() == 0);
  if (before.rlim_max == RLIM_INFINITY) {
    struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    KJ_SYSCALL(setrlimit(RLIMIT_CORE, &all));
    CHECK(facts.coreLimitBytes() == UINT64_MAX);
  }
}

}  // namespace
}  // namespace bothy
