#include "boot/identity.h"

#include <kj/debug.h>
#include <kj/io.h>
#include <stdlib.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "boot/machine-file.h"

namespace bothy {
namespace {

struct ScratchDirectory {
  ScratchDirectory() { KJ_ASSERT(::mkdtemp(path) != nullptr); }
  ~ScratchDirectory() {
    ::unlink(file().cStr());
    ::rmdir(path);
  }
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
  auto first = KJ_ASSERT_NONNULL(readText(a.file()));
  CHECK(isMachineId(trim(first)));
  CHECK(first != KJ_ASSERT_NONNULL(readText(b.file())));

  ensureMachineId(a.file());
  CHECK(KJ_ASSERT_NONNULL(readText(a.file())) == first);
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

TEST_CASE("a comment and an address are no host names") {
  CHECK(withHostname("127.0.0.1 localhost # demo\n", "demo") != nullptr);
  CHECK(withHostname("demo x\n", "demo") != nullptr);
}

}  // namespace
}  // namespace bothy
