#include "screen/guest-words.h"

#include <string.h>
#include <unistd.h>

#include <kj/vector.h>

namespace bothy {
namespace {

// The bytes of the UTF-8 character that `text` begins with; 0: it begins with none.
size_t characterSize(kj::ArrayPtr<const char> text) {
  auto byteAt = [&](size_t i) { return static_cast<kj::byte>(text[i]); };
  const auto lead = byteAt(0);
  size_t size = lead < 0x80                   ? 1
                : lead >= 0xc2 && lead < 0xe0 ? 2
                : lead >= 0xe0 && lead < 0xf0 ? 3
                : lead >= 0xf0 && lead < 0xf5 ? 4
                                              : 0;
  if (size == 0 || size > text.size()) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((byteAt(i) & 0xc0) != 0x80) return 0;
  }
  // Overlong ones, surrogates, and what is above Unicode.
  if (size > 1) {
    const auto second = byteAt(1);
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
        (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) {
      return 0;
    }
  }
  return size;
}

// C0, DEL, C1, and the separators of lines and paragraphs.
bool isControl(kj::ArrayPtr<const char> character) {
  const auto first = static_cast<kj::byte>(character[0]);
  if (character.size() == 1) return first < 0x20 || first == 0x7f;
  const auto second = static_cast<kj::byte>(character[1]);
  if (character.size() == 2) return first == 0xc2 && second < 0xa0;
  return memcmp(character.begin(), "\u2028", 3) == 0 || memcmp(character.begin(), "\u2029", 3) == 0;
}

int hexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool isThisMachine(kj::ArrayPtr<const char> host) {
  char own[256] = {};
  if (gethostname(own, sizeof(own) - 1) != 0) return false;
  return host.size() == 0 || kj::str(host) == "localhost" || kj::str(host) == own;
}

}  // namespace

kj::String cleanWords(kj::ArrayPtr<const char> text, size_t maxBytes) {
  kj::Vector<char> result;
  while (text.size() > 0) {
    auto size = characterSize(text);
    if (size == 0) {
      text = text.slice(1, text.size());
      continue;
    }
    auto character = text.slice(0, size);
    text = text.slice(size, text.size());
    if (isControl(character)) continue;
    if (result.size() + size > maxBytes) break;
    result.addAll(character);
  }
  return kj::heapString(result.asPtr());
}

kj::String directoryOf(kj::ArrayPtr<const char> address, size_t maxBytes) {
  constexpr kj::StringPtr SCHEME = "file://"_kj;
  auto nothing = kj::str();
  if (address.size() < SCHEME.size() ||
      memcmp(address.begin(), SCHEME.begin(), SCHEME.size()) != 0) {
    return nothing;
  }
  address = address.slice(SCHEME.size(), address.size());
  size_t slash = 0;
  while (slash < address.size() && address[slash] != '/') ++slash;
  if (!isThisMachine(address.slice(0, slash))) return nothing;
  kj::Vector<char> path;
  for (size_t i = slash; i < address.size(); ++i) {
    char c = address[i];
    if (c == '%') {
      if (address.size() - i < 3) return nothing;
      int high = hexDigit(address[i + 1]), low = hexDigit(address[i + 2]);
      if (high < 0 || low < 0) return nothing;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    path.add(c);
  }
  if (path.size() == 0 || path.size() > maxBytes) return nothing;
  // A path that would have to be changed is another one.
  auto clean = cleanWords(path, maxBytes);
  return clean.size() == path.size() ? kj::mv(clean) : kj::mv(nothing);
}

}  // namespace bothy
