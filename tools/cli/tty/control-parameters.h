#pragma once

#include <kj/array.h>

namespace bothy {

// What stands between "ESC [" and the final byte of a control sequence: a private mark, numbers with ";" between
// fields and ":" between their parts, and an intermediate byte.
class ControlParameters final {
public:
  // Of a whole sequence, "ESC [ ... final".
  explicit ControlParameters(kj::ArrayPtr<const kj::byte> sequence);

  static constexpr size_t MAX_FIELDS = 16;  // what is beyond is not read
  static constexpr size_t MAX_PARTS = 3;
  static constexpr kj::uint MAX_NUMBER = 0x10ffff;

  // One of "<=>?", or 0.
  kj::byte mark() const { return privateMark; }
  // The last of 0x20..0x2f, or 0.
  kj::byte intermediate() const { return lastIntermediate; }
  // How many fields there are, empty ones too; none if nothing is given.
  size_t size() const { return fields; }
  // 0 where it is not given.
  kj::uint number(size_t field, size_t part = 0) const {
    return field < MAX_FIELDS ? numbers[field][part] : 0;
  }

private:
  kj::byte privateMark = 0;
  kj::byte lastIntermediate = 0;
  size_t fields = 0;
  kj::uint numbers[MAX_FIELDS][MAX_PARTS] = {};
};

}  // namespace bothy
