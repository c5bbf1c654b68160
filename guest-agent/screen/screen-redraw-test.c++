#include "screen/screen-redraw.h"

#include <string.h>
#include <initializer_list>

#include <random>

#include <catch2/catch_test_macros.hpp>

#include "screen/terminal-screen.h"
#include "support/screen.h"

namespace bothy {
namespace {

constexpr kj::uint COLUMNS = 24, ROWS = 8;

void feedAll(TerminalScreen& screen, kj::ArrayPtr<const kj::byte> bytes) {
  while (bytes.size() > 0) bytes = bytes.slice(screen.feed(bytes), bytes.size());
}

// Another emulator's view, which is the judge: what a viewer sees who was there all the time, and one who got the redraw.
struct Viewers {
  OutputBudget budget{64 << 20};
  TerminalScreen kept{budget, COLUMNS, ROWS};
  Screen first{COLUMNS, ROWS};
  Screen second{COLUMNS, ROWS};

  void show(kj::StringPtr output) {
    feedAll(kept, output.asBytes());
    first.feed(output.asBytes());
  }
  void comeBack() { second.feed(redraw(kept.state())); }
};

// The second viewer is in some state before, comes when `before` was shown, and is there for `after`.
void checkRedraw(kj::StringPtr before, kj::StringPtr after = ""_kj, kj::StringPtr local = ""_kj) {
  Viewers v;
  v.show(before);
  v.second.feed(local.asBytes());
  v.comeBack();
  CHECK(v.second.takeAnswers().size() == 0);
  v.first.takeAnswers();
  CHECK(v.second.describe() == v.first.describe());
  v.first.feed(after.asBytes());
  v.second.feed(after.asBytes());
  CHECK(v.second.describe() == v.first.describe());
}

TEST_CASE("P01 a redraw shows text, wide characters and what combines, where they were") {
  checkRedraw("hello\r\n\nworld", "!");
  checkRedraw("größe 日本 e\u0301 ✓\r\n日", "本");
  checkRedraw("\033[3;10Hmiddle\033[1;1H", "x");
}

TEST_CASE("P01 a redraw shows looks: attributes and colors of every kind") {
  checkRedraw("\033[1mbold\033[0m\033[3mitalic\033[0m \033[4;31;42mred\033[24m\033[21mtwo\033[m");
  checkRedraw(
      "\033[38;5;200;48;5;17mmany\033[38;2;1;2;3m\033[48;2;250;251;252mexact\033[7mr\033[9ms");
  checkRedraw("\033[38:5:33mx\033[4:3my\033[0;94;103mbright", "and on");
  checkRedraw("\033[44m\033[2Jblue\033[3;1H\033[K", " more");
  checkRedraw("\033[31mred pen", " stays");
}

TEST_CASE("P01 a redraw brings the cursor and what it is about to do") {
  // The last column was written to: the next character wraps, and does not replace it.
  checkRedraw("123456789012345678901234", "x");
  checkRedraw(
      "\033[8;1H12345678901234567890123日"
      "x",
      "y");
  checkRedraw("123456789012345678901234\033[31m", "x");
  checkRedraw("\033[5;5H\033[?25l\033[5 q", "x");
  checkRedraw("\033[2;3Habc\0337\033[6;1Hdef", "\0338x");
}

TEST_CASE("P01 a redraw brings margins, and origin within them") {
  checkRedraw("1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\033[3;5r\033[4;2H", "a\r\nb\r\nc\r\nd");
  checkRedraw("1\r\n2\r\n3\r\n4\033[3;6r\033[?6h\033[2;2Hx", "y\033[1;1Hz\r\n\n\n\n\n");
  checkRedraw("\033[?69h\033[5;12s\033[2;3Habc", "\033[1;5Hx\033[Lyz");
}

TEST_CASE("P01 a redraw brings modes: pastes, mouse, keys, focus, wrapping, insertion") {
  checkRedraw("\033[?2004h\033[?1000h\033[?1006h\033[?1h\033[?1004h");
  checkRedraw("\033[?1003h\033[?1015h\033[?1002h");
  checkRedraw("\033[?7labc", "defghijklmnopqrstuvwxyz0123");
  checkRedraw("abc\r\033[4h", "xy");
  checkRedraw("\033[?5h\033[20h", "a\nb");
}

TEST_CASE("P01 a redraw brings character sets and tab stops") {
  checkRedraw("\033(0lqk", "mqj\033(Ba");
  checkRedraw("\033)0\016lqk", "x\017x");
  checkRedraw("\033[3g\033[5G\033H\033[9G\033H\r", "\ta\tb\tc");
}

TEST_CASE("P01 a redraw brings both screens of a program that fills the screen") {
  checkRedraw("$ vim\r\n\033[?1049h\033[2J\033[3;3Htext", "\033[?1049l$ ");
  checkRedraw("one\r\n\033[31mtwo\033[?1049h\033[0m\033[1;1Hother\033[2;7r",
              "x\033[r\033[?1049lthree");
}

TEST_CASE("P01 S40 a redraw brings the title, without what is no text") {
  checkRedraw("\033]0;a title\007");
  Viewers v;
  v.show("\033]2;bad\x01\xc2\x9b\xff title\033\\");
  CHECK(v.kept.state().title == "bad title");
}

TEST_CASE("P17 whatever state a terminal is in, a redraw brings it to another") {
  constexpr auto LOCAL =
      "junk\033[?1049h\033[2;4r\033[?6h\033[?7l\033[4h\033(0\033[31;4m\033[?1000h\033[?25lmore\033]0;cut"_kj;
  checkRedraw("hello\r\nworld", " and on", LOCAL);
  checkRedraw("\033[?1049hother", "\033[?1049lmain", LOCAL);
}

TEST_CASE("P02 S40 a redraw asks nothing, whatever the program asked") {
  checkRedraw(
      "\033[c\033[>c\033[6n\033[?6n\033[5n\033[?25$p\033[>q\033[?u\033[18t\033Z\005"
      "\033P$qm\033\\\033]10;?\007\033]52;c;?\007\033]4;1;?\033\\text");
}

TEST_CASE("P01 what a program set for keys and colors is in a redraw, where no judge keeps it") {
  Viewers v;
  v.show("\033[>1u\033[>3u\033[?1049h\033[=5u\033[>4;2m\033]11;#102030\007\033[?1016h\033[?2031h");
  auto bytes = redraw(v.kept.state());
  auto text = kj::heapString(bytes.asChars());
  auto has = [&](kj::StringPtr part) { return strstr(text.cStr() + 1, part.cStr()) != nullptr; };
  CHECK(has("\033[>1u\033[>3u"));
  CHECK(has("\033[=5u"));
  CHECK(has("\033[>4;2m"));
  CHECK(has("\033]11;#102030\033\\"));
  CHECK(has("\033[?1016h"));
  CHECK(has("\033[?2031h"));
}

// Anything between nonsense and what programs send.
kj::Array<kj::byte> randomOutput(std::mt19937& random, size_t pieces) {
  constexpr kj::StringPtr PIECES[] = {"text "_kj,     "日本"_kj,        "e\u0301\u0302\u0303"_kj,
                                      "\r\n"_kj,      "\n"_kj,          "\b"_kj,
                                      "\t"_kj,        "\033M"_kj,       "\033D"_kj,
                                      "\0337"_kj,     "\0338"_kj,       "\033H"_kj,
                                      "\033(0"_kj,    "\033(B"_kj,      "\x0e"_kj,
                                      "\x0f"_kj,      "\033[?1049h"_kj, "\033[?1049l"_kj,
                                      "\033[?47h"_kj, "\033[?47l"_kj,   "\033[?6h"_kj,
                                      "\033[?6l"_kj,  "\033[?7l"_kj,    "\033[?7h"_kj,
                                      "\033[4h"_kj,   "\033[4l"_kj,     "\033[?69h"_kj,
                                      "\033[?69l"_kj, "\033[!p"_kj,     "\033]0;t\007"_kj,
                                      "\033[1m"_kj,   "\033[7m"_kj,     "\033[48;5;9m"_kj,
                                      "\033[0m"_kj,   "\033[1\"q"_kj,   "\033#8"_kj,
                                      "\033[5b"_kj,   "\033N"_kj,       "\033[3g"_kj};
  kj::Vector<kj::byte> output;
  for (size_t i = 0; i < pieces; ++i) {
    auto kind = random() % 8;
    if (kind < 4) {
      output.addAll(PIECES[random() % kj::size(PIECES)].asBytes());
    } else if (kind < 7) {
      constexpr char FINALS[] = "@ABCDEFGHIJKLMPSTXZ`abcdefghlmnqrstu";
      output.addAll(kj::str("\033[", random() % 3 == 0 ? "?" : "", random() % 30, ";",
                            random() % 40, FINALS[random() % (sizeof(FINALS) - 1)])
                        .asBytes());
    } else {
      output.add(static_cast<kj::byte>(random()));
    }
  }
  return output.releaseAsArray();
}

TEST_CASE("S42 no output breaks the screen, and of any state a redraw makes the same again") {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    INFO(seed);
    std::mt19937 random(seed);
    OutputBudget budget(64 << 20);
    const kj::uint columns = 1 + random() % 40, rows = 1 + random() % 20;
    TerminalScreen screen(budget, columns, rows);
    for (int round = 0; round < 10; ++round) {
      feedAll(screen, randomOutput(random, 100));
      if (round % 3 == 0) screen.resize(1 + random() % 40, 1 + random() % 20);
      TerminalScreen other(budget, screen.state().columns, screen.state().rows);
      auto bytes = redraw(screen.state());
      feedAll(other, bytes);
      auto again = redraw(other.state());
      REQUIRE(kj::heapString(again.asChars()) == kj::heapString(bytes.asChars()));
    }
  }
}

TEST_CASE("S42 a redraw has a bound, and leaves colors out before text") {
  OutputBudget budget(64 << 20);
  constexpr kj::uint WIDE = 1000, HIGH = 130;
  TerminalScreen screen(budget, WIDE, HIGH);
  kj::Vector<kj::byte> output;
  for (kj::uint i = 0; i < WIDE * HIGH; ++i) {
    output.addAll(kj::str("\033[38;2;", i % 256, ";1;2m\033[48;2;3;4;", i % 251, "mx").asBytes());
  }
  feedAll(screen, output);
  auto bytes = redraw(screen.state());
  CHECK(bytes.size() <= MAX_REDRAW_BYTES);
  size_t letters = 0;
  for (auto byte : bytes) letters += byte == 'x';
  CHECK(letters == WIDE * HIGH + 1);  // the last one twice, for the cursor that is about to wrap
}

}  // namespace
}  // namespace bothy
