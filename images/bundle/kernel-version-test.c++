#include "bundle/kernel-version.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

kj::String versionIn(kj::StringPtr vmlinux) {
  auto version = kernelVersionOf(vmlinux.asBytes());
  KJ_IF_MAYBE (found, version) return kj::mv(*found);
  return kj::str("none");
}

TEST_CASE("the kernel's version is the one of its banner") {
  CHECK(versionIn("\x7f ELF Linux version 6.12.1-bothy (bothy@bothy) (gcc)") == "6.12.1-bothy");
  CHECK(versionIn("Linux version %s (%s) Linux version 6.1-a~b+ (x)") == "6.1-a~b+");
}

TEST_CASE("a file without a banner is no kernel") {
  CHECK(versionIn("") == "none");
  CHECK(versionIn("Linux version ") == "none");
  CHECK(versionIn("Linux version 6.1") == "none");
  CHECK(versionIn("Linux version %s (%s)") == "none");
}

}  // namespace
}  // namespace bothy
