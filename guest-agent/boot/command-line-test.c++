#include "boot/command-line.h"

#include <kj/debug.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("keys of the kernel are ignored") {
  auto line = parseCommandLine("console=ttyS0 quiet panic=-1 hostname=no root=/dev/vda\n");
  CHECK(line.hostname == nullptr);
  CHECK(line.complaints.empty());
}

TEST_CASE("the host name is taken, the last one counts") {
  auto line = parseCommandLine("bothy.hostname=first quiet bothy.hostname=second");
  CHECK(KJ_ASSERT_NONNULL(line.hostname) == "second");
}

TEST_CASE("quotes are read as the kernel reads them") {
  CHECK(KJ_ASSERT_NONNULL(parseCommandLine("bothy.hostname=\"demo\"").hostname) == "demo");
  auto spaced = parseCommandLine("\"bothy.hostname=a b\" quiet");
  CHECK(spaced.hostname == nullptr);
  REQUIRE(spaced.complaints.size() == 1);
  CHECK(spaced.complaints[0] == "bothy.hostname is not a host name: a b");
}

TEST_CASE("a bad value and an unknown key are told, each in a sentence") {
  auto line = parseCommandLine("bothy.hostname=-x bothy.speed=11 bothy.");
  CHECK(line.hostname == nullptr);
  REQUIRE(line.complaints.size() == 3);
  CHECK(line.complaints[1] == "unknown key on the command line: bothy.speed=11");
}

TEST_CASE("a host name is 1 to 63 letters, digits and inner hyphens") {
  CHECK(isHostname("a"));
  CHECK(isHostname("web-1"));
  CHECK_FALSE(isHostname(""));
  CHECK_FALSE(isHostname("-a"));
  CHECK_FALSE(isHostname("a-"));
  CHECK_FALSE(isHostname("a.b"));
  CHECK_FALSE(isHostname("a_b"));
  CHECK_FALSE(isHostname(kj::str(kj::repeat('x', 64))));
}

}  // namespace
}  // namespace bothy
