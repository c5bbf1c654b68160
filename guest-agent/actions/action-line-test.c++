#include "actions/action-line.h"

#include <kj/debug.h>
#include <limits.h>
#include <string.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr kj::Date NOW = kj::UNIX_EPOCH + 1764511331123 * kj::MILLISECONDS;

kj::String repeated(kj::StringPtr text, size_t count) {
  kj::Vector<char> result;
  for (size_t i = 0; i < count; i++) result.addAll(text);
  result.add('\0');
  return kj::String(result.releaseAsArray());
}

// A list, as a line has it.
kj::String listed(kj::ArrayPtr<const kj::StringPtr> texts) {
  ActionLine line(NOW, "x");
  auto text = line.list("list", texts).finish();
  auto begin = KJ_ASSERT_NONNULL(text.findFirst('['));
  return kj::str(text.slice(begin, text.size() - 2));
}

TEST_CASE("an action is a line of JSON") {
  ActionLine line(NOW, "program started");
  const kj::StringPtr command[] = {"grep"_kj, "-F"_kj, "say \"a\\b\""_kj, ""_kj};
  line.text("user", "ann")
      .number("lane", 7)
      .list("command", kj::ArrayPtr<const kj::StringPtr>(command));
  CHECK(line.finish() ==
        "{\"time\":\"2025-11-30T14:02:11.123Z\",\"what\":\"program started\",\"user\":\"ann\","
        "\"lane\":7,\"command\":[\"grep\",\"-F\",\"say \\\"a\\\\b\\\"\",\"\"]}\n");
}

TEST_CASE("S09 no text of an action is more than text to whoever reads the log") {
  ActionLine line(NOW, "x");
  line.text("user", "a\033[2J\n\"}\xff\xe2\x80\xae");
  CHECK(line.finish() ==
        "{\"time\":\"2025-11-30T14:02:11.123Z\",\"what\":\"x\","
        "\"user\":\"a\\\\x1b[2J\\\\n\\\"}\\\\xff\\\\u{202e}\"}\n");
}

TEST_CASE("texts that are too long are cut, not within a character") {
  SECTION("a text") {
    ActionLine line(NOW, "x");
    line.text("user", repeated("ä", 60));
    auto text = line.finish();
    CHECK(text.endsWith(
        kj::str("\"user\":\"", repeated("ä", ActionLine::MAX_TEXT_BYTES / 2), "...\"}\n")));
  }
  SECTION("a list of nothing") {
    auto many = kj::heapArray<kj::StringPtr>(10000);
    for (auto& one : many) one = ""_kj;
    CHECK(listed(many).size() < 1024);
  }
}

TEST_CASE("S09 no command hides what it does behind a long beginning or a long end") {
  constexpr size_t HALF = ActionLine::MAX_LIST_BYTES / 2;
  SECTION("within a text") {
    auto script = kj::str(repeated(" ", 300), "rm -rf ~", repeated(" ", 20));
    const kj::StringPtr command[] = {"sh"_kj, "-c"_kj, script};
    // Three texts, each with a byte to its end.
    const auto hidden = 3 + 3 + 329 - 2 * HALF;
    CHECK(listed(command) == kj::str("[\"sh\",\"-c\",\"", repeated(" ", HALF - 6), "... ", hidden,
                                     " bytes ...", repeated(" ", HALF - 29), "rm -rf ~",
                                     repeated(" ", 20), "\"]"));
  }
  SECTION("over several texts") {
    auto first = repeated("a", 200), second = repeated("b", 300);
    const kj::StringPtr command[] = {first, "hidden"_kj, second, "shown"_kj};
    const auto hidden = 201 + 7 + 301 + 6 - 2 * HALF;
    CHECK(listed(command) == kj::str("[\"", repeated("a", HALF), "... ", hidden,
                                     " bytes ...\",\"...", repeated("b", HALF - 7),
                                     "\",\"shown\"]"));
  }
  SECTION("behind texts that are empty") {
    auto many = kj::heapArray<kj::StringPtr>(10000);
    for (auto& one : many) one = ""_kj;
    many.back() = "evil"_kj;
    CHECK(listed(many).endsWith(",\"\",\"evil\"]"));
  }
  SECTION("and what just fits is whole") {
    auto text = repeated("a", ActionLine::MAX_LIST_BYTES - 1);
    const kj::StringPtr command[] = {text};
    CHECK(listed(command) == kj::str("[\"", text, "\"]"));
  }
  SECTION("not within a character") {
    auto text = repeated("\u00e4", 300);
    const kj::StringPtr command[] = {"x"_kj, text};
    auto line = listed(command);
    CHECK(strstr(line.cStr(), "\\x") == nullptr);
  }
}

TEST_CASE("a line with four texts and a list can be written to a pipe in one piece") {
  auto worst = repeated("\033", 1000);
  ActionLine line(NOW, "program started");
  for (auto name : {"user", "session", "actor", "why"}) line.text(name, worst);
  const kj::StringPtr command[] = {worst.asPtr()};
  line.number("lane", kj::maxValue)
      .number("program", kj::maxValue)
      .list("command", kj::ArrayPtr<const kj::StringPtr>(command));
  CHECK(line.finish().size() <= PIPE_BUF);
}

}  // namespace
}  // namespace bothy
