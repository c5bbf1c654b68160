#pragma once

#include <kj/filesystem.h>
#include <kj/string.h>

namespace bothy {

// What identifies the content of a file.
struct Digest {
  kj::String sha256;  // 64 hexadecimal digits, lower case
  uint64_t bytes;

  bool operator==(const Digest& other) const {
    return sha256 == other.sha256 && bytes == other.bytes;
  }
};

Digest digestOf(kj::ArrayPtr<const kj::byte> content);

// Reads the file once, in pieces.
Digest digestOf(const kj::ReadableFile& file);

}  // namespace bothy
