#include "screen/terminal-screen.h"

#include <catch2/catch_test_macros.hpp>

#include "screen/character-width.h"
#include "screen/guest-words.h"

namespace bothy {
namespace {

constexpr kj::uint COLUMNS = 20, ROWS = 5;

struct Kept {
  OutputBudget budget{64 << 20};
  TerminalScreen screen;
  explicit Kept(kj::uint columns = COLUMNS, kj::uint rows = ROWS) : screen(budget, columns, rows) {}

  Kept& feed(kj::StringPtr text) {
    auto bytes = text.asBytes();
    while (bytes.size() > 0) bytes = bytes.slice(screen.feed(bytes), bytes.size());
    return *this;
  }
  kj::String line(kj::uint row) {
    kj::Vector<char> text;
    for (auto& cell : screen.state().shown().grid->line(row)) {
      text.add(cell.character == 0     ? ' '
               : cell.character < 0x80 ? static_cast<char>(cell.character)
                                       : '?');
    }
    while (!text.empty() && text.back() == ' ') text.removeLast();
    return kj::heapString(text.asPtr());
  }
};

TEST_CASE("P03 when a screen becomes smaller the line with the cursor stays") {
  Kept kept;
  kept.feed("1\r\n2\r\n3\r\n4\r\n5");
  kept.screen.resize(10, 3);
  CHECK((kept.line(0) == "3" && kept.line(2) == "5"));
  CHECK(kept.screen.state().cursor.row == 2);
  kept.screen.resize(30, 6);
  kept.feed("\r\n6");
  CHECK((kept.line(0) == "3" && kept.line(3) == "6"));
}

TEST_CASE("P03 margins end where the size changes") {
  Kept kept(80, 30);
  kept.feed("\033[21;30r\033[9;1H");
  kept.screen.resize(80, 10);
  for (int i = 0; i < 50; ++i) kept.feed("\n");
  CHECK(kept.screen.state().cursor.row == 9);
}

TEST_CASE("S42 sequences that broke other emulators change nothing beyond the screen") {
  Kept kept;
  // More numbers than any has; a repetition of nothing; numbers that do not fit.
  kept.feed(kj::str("\033[", kj::strArray(kj::repeat("1;"_kj, 5000), ""), "m"));
  kept.feed("\033[65535b\033[99999999999999999999C\033[99999999999999999999;4294967297Hx");
  CHECK(kept.line(ROWS - 1).endsWith("x"));
  kept.feed(kj::str("a", kj::strArray(kj::repeat("\u0300"_kj, 100000), "")));
}

TEST_CASE("of a flood of lines the screen is the same, however it comes") {
  auto checkFlood = [](kj::StringPtr before, kj::StringPtr line, kj::StringPtr after) {
    INFO(line.cStr());
    auto flood = kj::str(before, kj::strArray(kj::repeat(line, 200), ""), after);
    Kept whole, slow;
    whole.feed(flood);
    for (char byte : flood) slow.feed(kj::heapString(&byte, 1));
    for (kj::uint row = 0; row < ROWS; ++row) CHECK(whole.line(row) == slow.line(row));
    CHECK(whole.screen.state().cursor.column == slow.screen.state().cursor.column);
    CHECK(whole.screen.state().cursor.row == slow.screen.state().cursor.row);
  };
  for (auto before :
       {""_kj, "\033[2;3Hx"_kj, "\033[2;4r"_kj, "\033[31m"_kj, "\033[?7l"_kj, "\033[20h"_kj}) {
    checkFlood(before, "line\r\n", "end");
    checkFlood(before, "no return\n", "end");
    checkFlood(before, "a line that is longer than the screen is wide\r\n", "\033[1;1Hend");
    checkFlood(before, "\ttab\r\n", "");
    checkFlood(before, "\r\n", "\033]0;title\007 end");
  }
}

TEST_CASE("S42 a few bytes that change all cells are taken in turns") {
  Kept kept(500, 250);
  kept.feed("\033[41m");
  auto erasures = kj::strArray(kj::repeat("\033[2J"_kj, 1000), "");
  size_t turns = 0;
  for (auto bytes = erasures.asBytes(); bytes.size() > 0; ++turns) {
    auto taken = kept.screen.feed(bytes);
    REQUIRE(taken > 0);
    CHECK(taken <= 3 * 4);
    bytes = bytes.slice(taken, bytes.size());
  }
  CHECK(turns > 300);
}

// How many turns it takes to eat 64 KiB of this, at most as much at a time.
size_t turnsOf(Kept& kept, kj::StringPtr piece) {
  auto text = kj::strArray(kj::repeat(piece, 64 * 1024 / piece.size()), "");
  size_t turns = 0;
  for (auto bytes = text.asBytes(); bytes.size() > 0; ++turns) {
    auto taken = kept.screen.feed(bytes);
    REQUIRE(taken > 0);
    bytes = bytes.slice(taken, bytes.size());
  }
  return turns;
}

TEST_CASE(
    "S42 whatever changes many cells, or looks at many rows, by few bytes is taken in turns") {
  {
    Kept kept(200, 50);
    CHECK(turnsOf(kept, "\033#8") > 1000);
    CHECK(turnsOf(kept, "\033[?47h\033[?47l") > 100);
  }
  {
    // Without cells.
    Kept kept(4096, 4096);
    CHECK(turnsOf(kept, "\033#8") > 1000);
    CHECK(turnsOf(kept, "\033[2J") > 100);
    CHECK(turnsOf(kept, "\033c") > 100);
    CHECK(turnsOf(kept, "\r\t") > 10);
  }
  {
    // Each letter moves all lines of two columns.
    Kept kept(32, 4096);
    kept.feed("\033[?69h\033[1;2s\033[4096;1H");
    CHECK(turnsOf(kept, "a") > 10);
    CHECK(turnsOf(kept, "ä") > 10);
    kept.feed("\033(0");
    CHECK(turnsOf(kept, "q") > 10);
  }
}

TEST_CASE(
    "S42 of a screen that is too large, or that the budget has no room for, no cells are kept") {
  OutputBudget budget(100 * sizeof(Cell) * OutputBudget::SCREEN_PART * OutputBudget::SCREENS_PART);
  TerminalScreen first(budget, 10, 10);
  CHECK(first.state().main.grid->isKept());
  {
    TerminalScreen second(budget, 10, 10);
    CHECK_FALSE(second.state().main.grid->isKept());
    second.feed("abc\033[2J\033[?1049h\033#8\033[?2004h"_kj.asBytes());
    CHECK(second.state().isOn(2004));
  }
  first.resize(4096, 4096);
  CHECK_FALSE(first.state().main.grid->isKept());
  first.feed("abc\r\n\033[4096;4096Hx\033M"_kj.asBytes());
  first.resize(5, 5);
  CHECK(first.state().main.grid->isKept());
  TerminalScreen third(budget, 75, 1);
  CHECK(third.state().main.grid->isKept());
}

TEST_CASE("what has not ended is known, and how to go on in its middle") {
  auto unfinished = [](kj::StringPtr output) {
    Kept kept;
    kept.feed(output);
    return kj::str(kept.screen.unfinished(), " ", kept.screen.unfinishedBeginning().slice(0));
  };
  CHECK(unfinished("text") == "0 ");
  CHECK(unfinished("text\033") == "1 \033");
  CHECK(unfinished("text\033[1;2") == "5 \033[");
  CHECK(unfinished("text\033]0;title") == "9 \033]");
  CHECK(unfinished("text\033]0;title\033") == "10 \033]");
  CHECK(unfinished("text\033]0;title\033[") == "2 \033[");
  CHECK(unfinished("\xe6\x97") == "2 ");
  CHECK(unfinished("\033]0;title\007") == "0 ");
  CHECK(unfinished("\xe6\x97x") == "0 ");
}

TEST_CASE("what a program says to people is told once, and short") {
  Kept kept;
  kept.feed("\033]0;one\007\007");
  auto news = kept.screen.takeNews();
  CHECK((news.title && news.bell && !news.directory));
  news = kept.screen.takeNews();
  CHECK((!news.title && !news.bell));
  kept.feed(kj::str("\033]2;", kj::strArray(kj::repeat("日"_kj, 1000), ""), "\033\\"));
  CHECK(kept.screen.state().title.size() == TerminalScreen::MAX_TITLE_BYTES / 3 * 3);
  // Of strings that are longer than any has use for nothing is kept.
  kept.feed(kj::str("\033]2;", kj::strArray(kj::repeat("x"_kj, 10000), ""), "\033\\"));
  CHECK(kept.screen.state().title.size() == TerminalScreen::MAX_TITLE_BYTES / 3 * 3);
}

TEST_CASE("the directory that a shell names is known, where it is of this machine") {
  CHECK(directoryOf("file:///home/user"_kj.asArray(), 100) == "/home/user");
  CHECK(directoryOf("file://localhost/a%20b%2Fc"_kj.asArray(), 100) == "/a b/c");
  for (auto none : {"file://elsewhere.example/home", "http:///x", "file:///a%0ab", "file:///a%2",
                    "file://", "file:///a%zz", "file:///\xff"}) {
    INFO(none);
    CHECK(directoryOf(kj::StringPtr(none).asArray(), 100) == "");
  }
  CHECK(directoryOf("file:///1234567890"_kj.asArray(), 10) == "");
  Kept kept;
  kept.feed("\033]7;file:///tmp\033\\");
  CHECK(kept.screen.state().directory == "/tmp");
  CHECK(kept.screen.takeNews().directory);
}

TEST_CASE("characters take the places that the workspace's libc reckons with") {
  CHECK(characterWidth(U'ä') == 1);
  CHECK(characterWidth(U'日') == 2);
  CHECK(characterWidth(U'🙂') == 2);
  CHECK(characterWidth(0x301) == 0);
  CHECK(characterWidth(0x200d) == 0);
  CHECK(characterWidth(U'✓') == 1);
  CHECK(characterWidth(0x10ffff) == 1);
}

}  // namespace
}  // namespace bothy
