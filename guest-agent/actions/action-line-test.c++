#include "actions/action-line.h"

#include <limits.h>

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

TEST_CASE("an action is a line of JSON") {
  ActionLine line(NOW, "program started");
  kj::StringPtr command[] = {"grep"_kj, "-F"_kj, "say \"a\\b\""_kj, ""_kj};
  line.text("user", "ann").number("lane", 7).list("command", command);
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
  SECTION("a list") {
    ActionLine line(NOW, "x");
    auto longOne = repeated("a", 200), longer = repeated("b", 300);
    kj::StringPtr command[] = {longOne, longer, "never"_kj};
    line.list("command", command);
    CHECK(line.finish().endsWith(kj::str("[\"", longOne, "\",\"", repeated("b", 55), "...\"]}\n")));
  }
  SECTION("a list of nothing") {
    ActionLine line(NOW, "x");
    auto many = kj::heapArray<kj::StringPtr>(10000);
    for (auto& one : many) one = ""_kj;
    line.list("command", many);
    CHECK(line.finish().size() < 1024);
  }
}

TEST_CASE("a line with four texts and a list can be written to a pipe in one piece") {
  auto worst = repeated("\033", 1000);
  ActionLine line(NOW, "program started");
  for (auto name : {"user", "session", "actor", "why"}) line.text(name, worst);
  kj::StringPtr command[] = {worst.asPtr()};
  line.number("lane", kj::maxValue).number("program", kj::maxValue).list("command", command);
  CHECK(line.finish().size() <= PIPE_BUF);
}

}  // namespace
}  // namespace bothy
