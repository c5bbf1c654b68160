#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <kj/array.h>
#include <kj/debug.h>

namespace bothy {

// A number as disk formats have it, the most significant byte first.  It has no alignment, so a struct of
// these and of bytes is a layout.
template <typename Number>
class BigEndian final {
public:
  BigEndian& operator=(Number value) {
    for (size_t i = sizeof(Number); i-- > 0;) {
      content[i] = static_cast<kj::byte>(value);
      value = static_cast<Number>(uint64_t(value) >> 8);
    }
    return *this;
  }
  Number get() const {
    uint64_t value = 0;
    for (kj::byte next : content) value = value << 8 | next;
    return static_cast<Number>(value);
  }

private:
  kj::byte content[sizeof(Number)];
};

// The layout that lies at `offset` of these bytes, all of which must be there.
template <typename Layout>
Layout layoutAt(kj::ArrayPtr<const kj::byte> bytes, size_t offset = 0) {
  static_assert(alignof(Layout) == 1);
  KJ_REQUIRE(offset <= bytes.size() && sizeof(Layout) <= bytes.size() - offset, offset);
  Layout result;
  memcpy(&result, bytes.begin() + offset, sizeof(Layout));
  return result;
}

template <typename Layout>
kj::ArrayPtr<const kj::byte> bytesOf(const Layout& layout) {
  static_assert(alignof(Layout) == 1);
  return kj::arrayPtr(reinterpret_cast<const kj::byte*>(&layout), sizeof(layout));
}

}  // namespace bothy
