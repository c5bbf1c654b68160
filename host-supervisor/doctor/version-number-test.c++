#include "doctor/version-number.h"

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

kj::String first(kj::StringPtr text) {
  KJ_IF_MAYBE (version, VersionNumber::firstIn(text)) return kj::str(*version);
  return kj::str("none");
}

TEST_CASE("the version in what a program says is its first number with a dot") {
  CHECK(first("QEMU emulator version 10.0.2 (Debian 1:9.1.1)") == "10.0.2");
  CHECK(first("6.1.0-9-amd64") == "6.1.0");
  CHECK(first("7.0") == "7.0.0");
  CHECK(first("v2 of 3.4.5.6") == "3.4.5");
  CHECK(first("1.") == "none");
  CHECK(first("12") == "none");
  CHECK(first("") == "none");
  CHECK(first("99999999999999999999.1 then 1.2") == "1.2.0");
  CHECK(first("1.99999999999 and 5.6") == "5.6.0");
}

TEST_CASE("versions are compared part by part, as numbers") {
  CHECK(VersionNumber{6, 9, 9} < VersionNumber{6, 10, 0});
  CHECK(VersionNumber{9, 9, 9} < VersionNumber{10, 0, 0});
  CHECK_FALSE(VersionNumber{10, 0, 0} < VersionNumber{10, 0, 0});
}

}  // namespace
}  // namespace bothy
