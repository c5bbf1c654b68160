#include "wire/escape.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

kj::String escape(kj::StringPtr text) {
  return escapeGuestText(text.asArray());
}

TEST_CASE("S08 text that a person can read passes as it is") {
  CHECK(escape("") == "");
  CHECK(escape("Grüße, 世界 👩‍💻 ~/a b") == "Grüße, 世界 👩‍💻 ~/a b");
}

TEST_CASE("S08 control characters become visible") {
  CHECK(escape("\x1b[2J\x1b]0;title\x07") == "\\x1b[2J\\x1b]0;title\\x07");
  CHECK(escape("a\tb\rc\x7f") == "a\\tb\\rc\\x7f");
  const char withNul[] = {'a', 0, 'b'};
  CHECK(escapeGuestText(kj::arrayPtr(withNul, 3)) == "a\\x00b");
  CHECK(escape("\u009b31m") == "\\u{9b}31m");  // CSI as one C1 character
}

TEST_CASE("S08 no byte below 0x20 and no DEL survives, whatever comes before it") {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const kj::byte text[] = {static_cast<kj::byte>(first), static_cast<kj::byte>(second)};
      auto escaped = escapeGuestText(kj::arrayPtr(text, 2));
      for (char c : escaped) {
        auto byte = static_cast<kj::byte>(c);
        if (byte < 0x20 || byte == 0x7f) FAIL("byte " << int(byte) << " passed");
      }
      // A terminal in an 8-bit mode takes a lone C1 byte for a control.
      if (second >= 0x80 && first < 0xc2) CHECK(escaped.findFirst('\\') != nullptr);
    }
  }
}

TEST_CASE("S08 bytes that are no UTF-8 become visible one by one") {
  CHECK(escape("\xff") == "\\xff");
  CHECK(escape("\xc0\x9b") == "\\xc0\\x9b");                    // overlong ESC
  CHECK(escape("\xed\xa0\x80") == "\\xed\\xa0\\x80");           // surrogate
  CHECK(escape("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");  // above U+10FFFF
  CHECK(escape("ok\xe4\xb8") == "ok\\xe4\\xb8");                // cut off
  CHECK(escape("\xe4\x1b[m") == "\\xe4\\x1b[m");                // a control where a tail belongs
}

TEST_CASE("S08 characters that reverse or break a line become visible") {
  CHECK(escape("a\u202eb") == "a\\u{202e}b");
  CHECK(escape("a\u2028b\u2066\ufeff") == "a\\u{2028}b\\u{2066}\\u{feff}");
}

TEST_CASE("S08 line feeds are kept only where text of several lines is asked for") {
  CHECK(escape("a\nb") == "a\\nb");
  CHECK(escapeGuestText(kj::StringPtr("a\nb\x1b").asArray(), LineFeeds::KEPT) == "a\nb\\x1b");
}

TEST_CASE("escaping twice is escaping once") {
  auto once = escape("\x1b\xff\u009b\n\\");
  CHECK(escape(once) == once);
}

}  // namespace
}  // namespace bothy
