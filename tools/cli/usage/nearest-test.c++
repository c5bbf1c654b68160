#include "usage/nearest.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

kj::StringPtr meant(kj::StringPtr given) {
  constexpr kj::StringPtr KNOWN[] = {"create"_kj, "ls"_kj, "shell"_kj, "start"_kj, "stop"_kj};
  return nearest(given, KNOWN).orDefault("");
}

TEST_CASE("a slip of the fingers finds the word that was meant") {
  CHECK(meant("craete") == "create");
  CHECK(meant("sl") == "ls");
  CHECK(meant("shel") == "shell");
  CHECK(meant("strat") == "start");
  CHECK(meant("stopp") == "stop");
}

TEST_CASE("of several the nearest is taken") {
  CHECK(meant("sto") == "stop");
  CHECK(meant("star") == "start");
}

TEST_CASE("a word that is like none finds none") {
  CHECK(meant("frobnicate") == "");
  CHECK(meant("x") == "");
  CHECK(meant("") == "");
  CHECK(meant(kj::str(kj::repeat('s', 1000))) == "");
}

}  // namespace
}  // namespace bothy
