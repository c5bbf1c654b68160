#pragma once

#include <kj/string.h>

#include "tty/escape-splitter.h"

namespace bothy {

// Follows which modes a program has switched on in the local terminal (the other screen, mouse reports,
// bracketed paste, a hidden cursor, …), so that leaving the program does not leave them on.
class TerminalModes final {
public:
  void follow(kj::ArrayPtr<const kj::byte> output);

  // What switches off that which is on; empty if nothing is.
  kj::String resetSequence() const;

private:
  void note(kj::ArrayPtr<const kj::byte> sequence);

  struct Modes {
    kj::Vector<kj::uint> on;  // private modes that are on and are off by default
    bool cursorHidden = false;
    bool keypad = false;
    bool cursorShaped = false;
    bool keyboardPushed = false;
    bool attributes = false;
  };

  EscapeSplitter splitter;
  Modes modes;
};

}  // namespace bothy
