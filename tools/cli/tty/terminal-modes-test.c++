#include "tty/terminal-modes.h"

#include <catch2/catch_test_macros.hpp>

#include "support/screen.h"

namespace bothy {
namespace {

kj::String resetAfter(kj::StringPtr output) {
  TerminalModes modes;
  modes.follow(output.asBytes());
  return modes.resetSequence();
}

// What a screen of 20x5 shows of `shell`, which writes to it after `program` was left.
kj::String shown(kj::StringPtr program, kj::StringPtr shell) {
  Screen screen(20, 5);
  screen.feed(program.asBytes());
  screen.feed(resetAfter(program).asBytes());
  screen.feed("\033[2J\033[H"_kj.asBytes());
  screen.feed(shell.asBytes());
  return screen.text();
}

TEST_CASE("P17 what a program switched on is switched off when it is left") {
  CHECK(resetAfter("\033[?1049h\033[?25l") == "\033[?1049l\033[?25h");
  CHECK(resetAfter("\033[?1000;1006h") == "\033[?1000l\033[?1006l");
  CHECK(resetAfter("\033=\033[31m") == "\033[0m\033>");
  CHECK(resetAfter("\033[?2026h\033[?2004h\033[?1004h\033[?1007h") ==
        "\033[?2026l\033[?2004l\033[?1004l\033[?1007l");
  CHECK(resetAfter("\033[5 q") == "\033[0 q");
  CHECK(resetAfter("\033]12;red\007\033]8;;https://example.org\033\\x") ==
        "\033]8;;\033\\\033]112\033\\");
  CHECK(resetAfter("\033[22;0t") == "\033[23;0t");
}

TEST_CASE("P17 a shell scrolls its whole screen after a program with margins was left") {
  constexpr kj::StringPtr LINES = "1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7"_kj;
  CHECK(shown("\033[2;3r", LINES) == "3\n4\n5\n6\n7");
  CHECK(shown("\033[?1049h\033[1;4r\033[?6h", LINES) == "3\n4\n5\n6\n7");
}

TEST_CASE("P17 a shell's long line wraps, and what is typed in it replaces nothing") {
  CHECK(shown("\033[?7l", "abcdefghijklmnopqrstuvwxyz") == "abcdefghijklmnopqrst\nuvwxyz");
  CHECK(shown("\033[4h", "abc\rx") == "xbc");
}

TEST_CASE("P17 a shell's letters are letters after lines were drawn") {
  CHECK(shown("\033(0lqk", "lqk") == "lqk");
  CHECK(shown("\033)0\016lqk", "lqk") == "lqk");
}

TEST_CASE("P17 the cursor stays where it is when margins end") {
  TerminalModes modes;
  constexpr kj::StringPtr PROGRAM = "\033[2;3r\033[4;2Hab"_kj;
  modes.follow(PROGRAM.asBytes());
  Screen screen(20, 5);
  screen.feed(PROGRAM.asBytes());
  screen.feed(modes.resetSequence().asBytes());
  screen.feed("c"_kj.asBytes());
  CHECK(screen.line(3) == " abc");
}

TEST_CASE("P17 keys are typed as before when a program had them encoded") {
  CHECK(resetAfter("\033[>4;2m") == "\033[>4m");
  CHECK(resetAfter("\033[>4;1f") == "\033[>4f");
  CHECK(resetAfter("\033[>1u\033[>3u") == "\033[<2u");
  CHECK(resetAfter("\033[=5u") == "\033[=0u");
  // Each screen has flags of its own.
  CHECK(resetAfter("\033[>1u\033[?1049h\033[>1u\033[>1u") == "\033[<2u\033[?1049l\033[<1u");
  CHECK(resetAfter("\033[>1u\033[?1049h\033[>1u\033[<u\033[?1049l\033[<u") == "");
}

TEST_CASE("P17 what programs set more seldom is undone too") {
  CHECK(resetAfter("\033[?45h\033[?67h") == "\033[?45l\033[?67l");
  CHECK(resetAfter("\033[?8l\033[1\"q") == "\033[0\"q\033[?8h");
  CHECK(resetAfter("\033 G\033[?2l") == "\033<\033 F");
  CHECK(resetAfter("\033]10;red\007\033]17;blue\007\033]5;0;red\007\033]13;red\007") ==
        "\033]110\033\\\033]117\033\\\033]105\033\\\033]113\033\\");
  CHECK(resetAfter("\033]22;text\007\033]9;4;1;50\007") == "\033]22;\033\\\033]9;4;0\033\\");
  CHECK(resetAfter("\033]22;text\007\033]9;4;1;50\007\033]9;4;0\007\033]22;\007") == "");
  // Of two colors one is given back.
  CHECK(resetAfter("\033]4;1;red;2;blue\007\033]104;1\007") == "\033]104\033\\");
  CHECK(resetAfter("\033]4;1;red;2;blue\007\033]104\007") == "");
  CHECK(resetAfter("\033]4;1;?\007\033]11;?\007") == "");
}

TEST_CASE("P17 a sequence that did not end does not swallow what follows") {
  CHECK(shown("\033]0;title that does not end", "$") == "$");
  CHECK(shown("\033[3", "$") == "$");
}

TEST_CASE("P17 a keyboard that a program has locked, or made to be seen twice, is as it was") {
  CHECK(resetAfter("\033[2h") == "\033[2l");
  CHECK(resetAfter("\033[12l") == "\033[12h");
  CHECK(resetAfter("\033[2h\033[12l\033[12h\033[2l") == "");
  CHECK(resetAfter("\033[?2027h") == "\033[?2027l");
}

TEST_CASE("P17 nothing is done where a program cleaned up itself") {
  CHECK(resetAfter("plain \033[2J") == "");
  CHECK(resetAfter("\033[?1049h\033[?2004h\033[?25l x \033[?25h\033[?2004l\033[?1049l") == "");
  CHECK(resetAfter("\033[?1049h\033c") == "");
  CHECK(resetAfter("\033[?7h\033[?12h") == "");
  CHECK(resetAfter("\033[1;31mred\033[m") == "");
  CHECK(resetAfter("\033[2;3r\033[r\033[?7l\033[?7h\033[4h\033[4l\033(0\033(B") == "");
  CHECK(resetAfter("\033[2;3r\033[?6h\033[?7l\033[!p") == "");
  CHECK(resetAfter("\033[>4;2m\033[>4;0m\033]12;red\007\033]112\007") == "");
  CHECK(resetAfter("\033[22;0t\033[23;0t\033[5 q\033[0 q") == "");
  CHECK(resetAfter("\033]8;;https://example.org\007x\033]8;;\007") == "");
  CHECK(resetAfter("\033[?1u\033]10;?\007\033[>q\033[u\033[1;1f") == "");
}

TEST_CASE("what a program makes up is not remembered without a bound") {
  TerminalModes modes;
  for (kj::uint i = 0; i < 2000; ++i) {
    auto output = kj::str("\033[?", i, "h\033[>", i, ";1m\033]", i, ";x\007\033[>1u\033[22t");
    modes.follow(output.asBytes());
  }
  CHECK(modes.resetSequence().size() < 1000);
}

}  // namespace
}  // namespace bothy
