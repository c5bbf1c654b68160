#include "console/json-text.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("S08 JSON is ASCII, whatever it holds") {
  CHECK(asciiJson(R"("a\"b\\ \u001b")") == R"("a\"b\\ \u001b")");
  CHECK(asciiJson("\"ü\u009b\x7f😀\"") == R"("\u00fc\u009b\u007f\ud83d\ude00")");
  CHECK(asciiJson("\"\xff\"") == R"("\ufffd")");
}

}  // namespace
}  // namespace bothy
