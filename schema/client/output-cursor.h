#pragma once

#include <cstdint>

#include <kj/array.h>

namespace bothy {

// Keeps the place in a terminal's numbered output, over any number of attachments, so that each byte is
// shown once.
class OutputCursor final {
public:
  struct Piece {
    uint64_t sequence;                   // of the first byte of `fresh`
    kj::ArrayPtr<const kj::byte> fresh;  // what of the data was not shown yet
    uint64_t lost;                       // bytes before it that will never come
    uint64_t repeated;                   // of the data, before `fresh`: they were shown
  };

  // Data that begins at byte `sequence`.
  Piece accept(uint64_t sequence, kj::ArrayPtr<const kj::byte> data);

  // The bytes sequence .. sequence+lost-1 are gone: how many of them were not shown.
  uint64_t skip(uint64_t sequence, uint64_t lost);

  // The output begins here: a first attachment to the scrollback of a terminal.
  void startAt(uint64_t sequence) { next = sequence; }

  // Number of the next byte to show.
  uint64_t position() const { return next; }

private:
  uint64_t next = 0;
};

}  // namespace bothy
