#pragma once

#include <kj/array.h>
#include <kj/common.h>

namespace bothy {

// A SHA-256 as a value.
struct Sha256 {
  kj::byte bytes[32];

  static Sha256 of(kj::ArrayPtr<const kj::byte> content);

  bool operator==(const Sha256& other) const {
    return kj::ArrayPtr<const kj::byte>(bytes) == other.bytes;
  }
  kj::uint hashCode() const;
};

}  // namespace bothy
