#include "boot/machine-shutdown.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("a login shell leads a terminal, its child and a daemon do not") {
  CHECK(leadsTerminal("42 (bash) S 1 42 42 34816 42 4194304 0"));
  CHECK_FALSE(leadsTerminal("43 (vim) S 42 43 42 34816 43 4194304 0"));
  CHECK_FALSE(leadsTerminal("44 (cron) S 1 44 44 0 -1 4194304 0"));
}

TEST_CASE("a program's name cannot pretend") {
  CHECK_FALSE(leadsTerminal("45 (x) S 1 45 45 34816) S 1 45 45 0 -1 0"));
  CHECK_FALSE(leadsTerminal("nonsense"));
  CHECK_FALSE(leadsTerminal(""));
}

}  // namespace
}  // namespace bothy
