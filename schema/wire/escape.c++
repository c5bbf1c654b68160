#include "wire/escape.h"

#include <cstdint>

#include <kj/vector.h>

namespace bothy {
namespace {

struct CodePoint {
  uint32_t value;
  size_t length;  // bytes; 0: the text does not begin with valid UTF-8
};

// The shortest form only; no surrogates, nothing above U+10FFFF (Unicode 15, table 3-7).
CodePoint decode(kj::ArrayPtr<const kj::byte> text) {
  kj::byte lead = text[0];
  if (lead < 0x80) return {lead, 1};

  size_t length;
  uint32_t value;
  uint32_t least;
  if (lead >= 0xc2 && lead <= 0xdf) {
    length = 2, value = lead & 0x1f, least = 0x80;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    length = 3, value = lead & 0x0f, least = 0x800;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    length = 4, value = lead & 0x07, least = 0x10000;
  } else {
    return {0, 0};
  }
  if (text.size() < length) return {0, 0};
  for (size_t i = 1; i < length; ++i) {
    if ((text[i] & 0xc0) != 0x80) return {0, 0};
    value = value << 6 | (text[i] & 0x3f);
  }
  bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (value < least || value > 0x10ffff || surrogate) return {0, 0};
  return {value, length};
}

bool isDeceptive(uint32_t c) {
  return (c >= 0x80 && c <= 0x9f)         // C1
         || c == 0x61c                    // Arabic letter mark
         || c == 0x200e || c == 0x200f    // left-to-right, right-to-left mark
         || (c >= 0x2028 && c <= 0x202e)  // separators, embeddings, overrides
         || (c >= 0x2066 && c <= 0x2069)  // isolates
         || c == 0xfeff                   // byte order mark
         || (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe  // noncharacters
         || (c >= 0xe0000 && c <= 0xe007f);                         // tags
}

void appendText(kj::Vector<char>& result, kj::StringPtr text) {
  result.addAll(text.asArray());
}

void appendByte(kj::Vector<char>& result, kj::byte value) {
  constexpr char DIGITS[] = "0123456789abcdef";
  appendText(result, "\\x");
  result.add(DIGITS[value >> 4]);
  result.add(DIGITS[value & 0xf]);
}

void appendControl(kj::Vector<char>& result, kj::byte value) {
  switch (value) {
    case '\n':
      return appendText(result, "\\n");
    case '\r':
      return appendText(result, "\\r");
    case '\t':
      return appendText(result, "\\t");
    default:
      return appendByte(result, value);
  }
}

}  // namespace

kj::String escapeGuestText(kj::ArrayPtr<const kj::byte> text, LineFeeds lineFeeds) {
  kj::Vector<char> result(text.size() + 1);
  while (text.size() > 0) {
    auto [value, length] = decode(text);
    if (length == 0) {
      appendByte(result, text[0]);
      length = 1;
    } else if (value == '\n' && lineFeeds == LineFeeds::KEPT) {
      result.add('\n');
    } else if (value < 0x20 || value == 0x7f) {
      appendControl(result, static_cast<kj::byte>(value));
    } else if (isDeceptive(value)) {
      appendText(result, kj::str("\\u{", kj::hex(value), "}"));
    } else {
      result.addAll(text.slice(0, length).asChars());
    }
    text = text.slice(length, text.size());
  }
  result.add('\0');
  return kj::String(result.releaseAsArray());
}

kj::String escapeGuestText(kj::ArrayPtr<const char> text, LineFeeds lineFeeds) {
  return escapeGuestText(text.asBytes(), lineFeeds);
}

}  // namespace bothy
