#pragma once

#include <stdint.h>
#include <string.h>

#include <kj/array.h>
#include <kj/string.h>
#include <kj/vector.h>

namespace bothy {

// Appends to what becomes a file.  Numbers are little-endian.
class LayoutWriter final {
public:
  LayoutWriter() { content.reserve(EXPECTED_BYTES); }

  template <typename Number>
  void number(Number value) {
    for (size_t i = 0; i < sizeof(Number); ++i) content.add(kj::byte(uint64_t(value) >> (8 * i)));
  }
  void bytes(kj::ArrayPtr<const kj::byte> value) { content.addAll(value); }
  // The magic, the version and the place of the length, with which each content begins.
  void header(kj::StringPtr magic, uint16_t version);
  // Says in the header how long the content becomes.
  void setLength(size_t length);

  kj::ArrayPtr<const kj::byte> written() const { return content.asPtr(); }
  kj::Array<kj::byte> finish() { return content.releaseAsArray(); }

private:
  // What a wrapped key is bound to takes no more, and there are hundreds in a change.
  static constexpr size_t EXPECTED_BYTES = 128;

  kj::Vector<kj::byte> content;
};

// Takes a file apart, refusing one that ends too early.  Points into the content that it was given.
class LayoutReader final {
public:
  LayoutReader(kj::ArrayPtr<const kj::byte> content, kj::StringPtr path)
      : rest(content), path(path) {}

  template <typename Number>
  Number number() {
    uint64_t value = 0;
    auto taken = bytes(sizeof(Number));
    for (size_t i = 0; i < sizeof(Number); ++i) value |= uint64_t(taken[i]) << (8 * i);
    return static_cast<Number>(value);
  }
  kj::ArrayPtr<const kj::byte> bytes(size_t count);
  // A struct of bytes alone.
  template <typename Struct>
  Struct bytesOf() {
    static_assert(alignof(Struct) == 1);
    Struct result;
    memcpy(&result, bytes(sizeof(Struct)).begin(), sizeof(Struct));
    return result;
  }
  // The magic and the version with which each file begins.  Returns its version, 1..`version`.
  uint16_t header(kj::StringPtr magic, uint16_t version);

  size_t remaining() const { return rest.size(); }

private:
  kj::ArrayPtr<const kj::byte> rest;
  kj::StringPtr path;
};

template <typename Struct>
kj::ArrayPtr<const kj::byte> asBytes(const Struct& value) {
  static_assert(alignof(Struct) == 1);
  return kj::arrayPtr(reinterpret_cast<const kj::byte*>(&value), sizeof(value));
}

}  // namespace bothy
