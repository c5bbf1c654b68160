#include "tty/replay-filter.h"

#include <kj/string.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

kj::String filter(kj::StringPtr output, bool sameSize = true) {
  ReplayFilter filter(sameSize);
  auto shown = kj::str(filter.filter(output.asBytes()).asChars());
  return kj::str(shown, filter.finish().asChars());
}

TEST_CASE("P02 a replay asks the local terminal nothing") {
  for (auto query : {"\x1b[c",
                     "\x1b[0c",
                     "\x1b[>c",
                     "\x1b[=c",
                     "\x1b[5n",
                     "\x1b[6n",
                     "\x1b[?6n",
                     "\x1b[?996n",
                     "\x1b[?25$p",
                     "\x1b[>q",
                     "\x1b[?u",
                     "\x1b[14t",
                     "\x1b[18t",
                     "\x1b[21t",
                     "\x1bZ",
                     "\x1bP$qm\x1b\\",
                     "\x1bP+q544e\x1b\\",
                     "\x1b]10;?\x07",
                     "\x1b]4;1;?\x1b\\",
                     "\x1b]52;c;?\x07",
                     "\x1b_Gi=1,a=q;AAAA\x1b\\",
                     "\x05"}) {
    INFO(kj::StringPtr(query).slice(1).cStr());
    CHECK(filter(kj::str("a", query, "b")) == "ab");
  }
}

TEST_CASE("P02 everything else of a replay is shown as it was") {
  for (auto text :
       {"\x1b[31mred\x1b[0m", "\x1b[2J\x1b[1;1H", "\x1b]0;title\x07", "\x1b(B", "\x1b[?1049h",
        "\x1b]8;;http://a?b\x1b\\link", "\x1b[22;0t", "\x1b[23t", "ünï", "\x1b[4 q"}) {
    CHECK(filter(text) == kj::StringPtr(text));
  }
}

TEST_CASE("P02 margins of a screen of another size are not replayed") {
  for (auto margins : {"\x1b[1;20r", "\x1b[r", "\x1b[3r"}) {
    auto text = kj::str("a", margins, "b");
    CHECK(filter(text, false) == "ab");
    CHECK(filter(text, true) == text);
  }
  for (auto other : {"\x1b[?1r", "\x1b[1;1;2;2;1$r", "\x1b[31m"}) {
    CHECK(filter(other, false) == kj::StringPtr(other));
  }
}

TEST_CASE("P02 a query that is cut into pieces is found") {
  ReplayFilter filter(true);
  kj::String shown = kj::str();
  for (auto piece : {"x\x1b", "[", "6", "ny"}) {
    shown = kj::str(shown, filter.filter(kj::StringPtr(piece).asBytes()).asChars());
  }
  CHECK(shown == "xy");
}

TEST_CASE("a sequence that never ends is not held back for ever") {
  auto text = kj::str("\x1b]0;", kj::repeat('x', 10000));
  CHECK(filter(text) == text);
}

}  // namespace
}  // namespace bothy
