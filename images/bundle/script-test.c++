#include "bundle/script.h"

#include <kj/exception.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

kj::String shell(kj::StringPtr line) {
  return runScript({"/bin/sh"_kj, "-c"_kj, line});
}

TEST_CASE("a script's answer is the last line it prints") {
  CHECK(shell("echo first; echo '/a b'; echo") == "/a b");
  CHECK(shell("printf /only") == "/only");
}

TEST_CASE("a script that fails, dies or says nothing is an error") {
  CHECK_THROWS_AS(shell("echo /a; exit 3"), kj::Exception);
  CHECK_THROWS_AS(shell("echo /a; kill -9 $$"), kj::Exception);
  CHECK_THROWS_AS(shell("true"), kj::Exception);
  CHECK_THROWS_AS(runScript({"/nonexistent/script"_kj}), kj::Exception);
}

}  // namespace
}  // namespace bothy
