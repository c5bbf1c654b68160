#include "tty/terminal-modes.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

kj::String resetAfter(kj::StringPtr output) {
  TerminalModes modes;
  modes.follow(output.asBytes());
  return modes.resetSequence();
}

TEST_CASE("P17 what a program switched on is switched off when it is left") {
  CHECK(resetAfter("\x1b[?1049h\x1b[?25l") == "\x1b[?1049l\x1b[?25h");
  CHECK(resetAfter("\x1b[?1000;1006h") == "\x1b[?1000l\x1b[?1006l");
  CHECK(resetAfter("\x1b=\x1b[31m") == "\x1b[0m\x1b>");
}

TEST_CASE("P17 nothing is done where a program cleaned up itself") {
  CHECK(resetAfter("plain \x1b[2J") == "");
  CHECK(resetAfter("\x1b[?1049h\x1b[?2004h\x1b[?25l x \x1b[?25h\x1b[?2004l\x1b[?1049l") == "");
  CHECK(resetAfter("\x1b[?1049h\x1b"
                   "c") == "");
  CHECK(resetAfter("\x1b[?7h\x1b[?12h") == "");
}

}  // namespace
}  // namespace bothy
