#include "tree/file-time.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("a time of a file is the same again, before and after 1970") {
  for (auto time : {timespec{0, 0}, timespec{1, 999'999'999}, timespec{-1, 1}}) {
    auto again = timeOf(nanosOf(time));
    CHECK(again.tv_sec == time.tv_sec);
    CHECK(again.tv_nsec == time.tv_nsec);
  }
}

TEST_CASE("a time that nanoseconds cannot hold is the nearest that they can") {
  // 2300 and 1600.
  CHECK(timeOf(nanosOf({10'413'792'000, 0})).tv_sec == 9'223'372'036);
  CHECK(timeOf(nanosOf({-11'676'096'000, 0})).tv_sec == -9'223'372'037);
}

}  // namespace
}  // namespace bothy
