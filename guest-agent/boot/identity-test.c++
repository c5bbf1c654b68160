#include "boot/identity.h"

#include <kj/debug.h>
#include <kj/io.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <fstream>

#include "boot/machine-file.h"
#include "process/text-file.h"

namespace bothy {
namespace {

struct ScratchDirectory {
  ScratchDirectory() { KJ_ASSERT(::mkdtemp(path) != nullptr); }
  ~ScratchDirectory() { std::filesystem::remove_all(path); }
  kj::String file() { return kj::str(path, "/file"); }

  char path[32] = "/tmp/bothy-identity-XXXXXX";
};

TEST_CASE("P24 two machines of one image get different ids, each keeps its own") {
  ScratchDirectory a, b;
  for (auto* dir : {&a, &b}) {
    // An image has an empty file.
    replaceText(dir->file(), "", 0444);
    ensureMachineId(dir->file());
  }
  auto first = readTextFile(a.file());
  CHECK(isMachineId(kj::str(trimmed(first.asArray()))));
  CHECK(first != readTextFile(b.file()));

  ensureMachineId(a.file());
  CHECK(readTextFile(a.file()) == first);
}

TEST_CASE("a machine id is 32 hexadecimal digits, not all zero") {
  CHECK(isMachineId("0123456789abcdef0123456789abcdef"));
  CHECK_FALSE(isMachineId("uninitialized"));
  CHECK_FALSE(isMachineId("0123456789ABCDEF0123456789ABCDEF"));
  CHECK_FALSE(isMachineId("00000000000000000000000000000000"));
}

TEST_CASE("the host name gets a line in hosts, once") {
  auto hosts = KJ_ASSERT_NONNULL(withHostname("127.0.0.1 localhost", "demo"));
  CHECK(hosts == "127.0.0.1 localhost\n127.0.1.1\tdemo\n");
  CHECK(withHostname(hosts, "demo") == nullptr);
  CHECK(withHostname(hosts, "localhost") == nullptr);
}

TEST_CASE("P48 a list of hosts that is long stays as it is, and one that is no file becomes one") {
  ScratchDirectory scratch;
  auto path = scratch.file();
  SECTION("long") {
    std::ofstream(path.cStr()) << "127.0.0.1 localhost\n";
    std::filesystem::resize_file(path.cStr(), 5 * 1024 * 1024);
    nameInHosts(path);
    CHECK(std::filesystem::file_size(path.cStr()) == 5 * 1024 * 1024);
  }
  SECTION("a FIFO") {
    KJ_SYSCALL(::mkfifo(path.cStr(), 0600));
    nameInHosts(path);
    CHECK(readTextFile(path).startsWith("127.0.0.1\tlocalhost\n"));
  }
  SECTION("a loop of links") {
    KJ_SYSCALL(::symlink(path.cStr(), path.cStr()));
    nameInHosts(path);
    CHECK(readTextFile(path).startsWith("127.0.0.1\tlocalhost\n"));
  }
  SECTION("a directory") {
    KJ_SYSCALL(::mkdir(path.cStr(), 0700));
    CHECK_THROWS_AS(nameInHosts(path), kj::Exception);
  }
}

TEST_CASE("P48 what lies in the way of a new file does not hold anybody up") {
  ScratchDirectory scratch;
  auto path = scratch.file();
  KJ_SYSCALL(::mkfifo(kj::str(path, ".bothy-new").cStr(), 0600));
  replaceText(path, "text", 0644);
  CHECK(readTextFile(path) == "text");
}

TEST_CASE("P48 what is no directory makes room for one, and is kept") {
  ScratchDirectory scratch;
  auto path = scratch.file();
  KJ_SYSCALL(::symlink("/nowhere", path.cStr()));
  ensureDirectory(path);
  CHECK(std::filesystem::is_directory(path.cStr()));
  CHECK(std::filesystem::is_symlink(kj::str(path, ".bothy-0").cStr()));
  ensureDirectory(path);
  CHECK(std::filesystem::is_directory(path.cStr()));
}

TEST_CASE("a comment and an address are no host names") {
  CHECK(withHostname("127.0.0.1 localhost # demo\n", "demo") != nullptr);
  CHECK(withHostname("demo x\n", "demo") != nullptr);
}

}  // namespace
}  // namespace bothy
