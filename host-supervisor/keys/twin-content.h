#pragma once

#include <stdint.h>

#include <kj/array.h>
#include <kj/exception.h>
#include <kj/string.h>

namespace bothy {

// A file of the keyring has its content twice, each copy padded with zeros to whole blocks, so that no
// damage of one place costs it.  A content begins with magic (8 bytes), version (2) and its own length (4).

constexpr size_t TWIN_BLOCK_BYTES = 4096;
constexpr size_t CONTENT_HEADER_BYTES = 14;
constexpr size_t CONTENT_LENGTH_OFFSET = 10;

constexpr size_t twinBytes(size_t content) {
  return 2 * ((content + TWIN_BLOCK_BYTES - 1) / TWIN_BLOCK_BYTES * TWIN_BLOCK_BYTES);
}

kj::Array<kj::byte> twinOf(kj::ArrayPtr<const kj::byte> content);

// Where the second copy begins; the end of the file if there is none.
size_t secondCopyOffset(kj::ArrayPtr<const kj::byte> file);

template <typename Value>
struct ReadTwin {
  Value value;
  // What is wrong with the other copy.
  kj::Maybe<kj::Exception> damage;
};

// What `decode` makes of the first copy that it does not refuse.  It is given what may go on behind the
// content.  Throws the first copy's refusal if both are refused.
template <typename Value, typename Decode>
ReadTwin<Value> readTwin(kj::ArrayPtr<const kj::byte> file, Decode&& decode) {
  kj::Maybe<Value> values[2];
  kj::Maybe<kj::Exception> damage[2];
  kj::ArrayPtr<const kj::byte> copies[] = {file, file.slice(secondCopyOffset(file), file.size())};
  for (size_t i = 0; i < 2; ++i) {
    damage[i] = kj::runCatchingExceptions([&]() { values[i] = decode(copies[i]); });
  }
  for (size_t i = 0; i < 2; ++i) {
    KJ_IF_MAYBE (value, values[i]) {
      return {kj::mv(*value), kj::mv(damage[1 - i])};
    }
  }
  kj::throwFatalException(kj::mv(*kj::_::readMaybe(damage[0])));
}

// The content at the begin of a copy: its header is looked at, and what is behind its length left out.
kj::ArrayPtr<const kj::byte> contentIn(kj::ArrayPtr<const kj::byte> copy, kj::StringPtr path,
                                       kj::StringPtr magic, uint16_t version);

}  // namespace bothy
