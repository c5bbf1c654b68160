#pragma once

#include "tty/escape-splitter.h"

namespace bothy {

// Takes out of old output what asks the terminal for an answer (status and attribute reports, settings,
// colours, the clipboard): the local terminal would type its answers into whatever runs now.
class ReplayFilter final {
public:
  kj::Array<kj::byte> filter(kj::ArrayPtr<const kj::byte> output);
  // The replay is over: what was held back of an unfinished sequence.
  kj::Array<kj::byte> finish() { return splitter.takeHeld(); }

  // Whether a terminal answers this sequence.
  static bool isQuery(kj::ArrayPtr<const kj::byte> sequence);

private:
  EscapeSplitter splitter;
};

}  // namespace bothy
