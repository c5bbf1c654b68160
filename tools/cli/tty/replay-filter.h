#pragma once

#include "tty/escape-splitter.h"

namespace bothy {

// Takes out of old output what asks the terminal for an answer (status and attribute reports, settings,
// colours, the clipboard): the local terminal would type its answers into whatever runs now.  And what was
// meant for a screen of another size: margins that are too small stay when their program is gone, and each
// line that follows is written over the one before.
class ReplayFilter final {
public:
  // `sameSize`: the local terminal is as large as the one that the output was written for.
  explicit ReplayFilter(bool sameSize) : sameSize(sameSize) {}

  kj::Array<kj::byte> filter(kj::ArrayPtr<const kj::byte> output);
  // The replay is over: what was held back of an unfinished sequence.
  kj::Array<kj::byte> finish() { return splitter.takeHeld(); }

  // Whether a terminal answers this sequence.
  static bool isQuery(kj::ArrayPtr<const kj::byte> sequence);
  // Whether it sets the top and bottom margins (DECSTBM).
  static bool isMargins(kj::ArrayPtr<const kj::byte> sequence);

private:
  bool sameSize;
  EscapeSplitter splitter;
};

}  // namespace bothy
