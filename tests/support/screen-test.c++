#include "support/screen.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

void feed(Screen& screen, kj::StringPtr text) {
  screen.feed(text.asBytes());
}

TEST_CASE("the screen shows what a terminal would") {
  Screen screen(20, 3);
  feed(screen, "hello\r\n\x1b[31mred\x1b[0m\r\nümläut\b\b\bX");
  CHECK(screen.line(0) == "hello");
  CHECK(screen.text() == "hello\nred\nümlXut");
}

TEST_CASE("the screen answers queries as a terminal would") {
  Screen screen(20, 3);
  feed(screen, "\x1b[5n");
  CHECK(kj::heapString(screen.takeAnswers().asChars()) == "\x1b[0n");
}

}  // namespace
}  // namespace bothy
