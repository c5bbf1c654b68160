#pragma once

#include <kj/string.h>

#include "tty/escape-splitter.h"

namespace bothy {

// Follows what a program changes in the local terminal (the other screen, margins, mouse reports, encoded keys, a
// hidden cursor, …), so that leaving the program does not leave it so.
class TerminalModes final {
public:
  void follow(kj::ArrayPtr<const kj::byte> output);

  // What brings the terminal back into order; empty if it is.
  kj::String resetSequence() const;

private:
  // Of one screen: terminals keep a stack of kitty's keyboard flags for each.
  struct Keyboard {
    kj::uint pushes = 0;
    bool isSet = false;  // changed in its place
  };
  struct Modes {
    kj::Vector<kj::uint> on;  // private modes that are on and are off by default
    bool attributes = false;
    bool cursorHidden = false;
    bool cursorShaped = false;
    bool keypad = false;
    bool margins = false;
    bool noWrap = false;
    bool noRepeat = false;
    bool asVt52 = false;
    bool wideControls = false;  // of eight bits
    bool isProtected = false;   // what is written, from selective erasure
    bool pointer = false;       // of the mouse, has another shape
    bool progress = false;      // is shown
    bool insert = false;
    bool locked = false;     // the keyboard
    bool localEcho = false;  // it shows keys itself
    bool newLine = false;
    bool origin = false;
    bool charset = false;
    bool shiftedOut = false;  // to another character set
    bool notUtf8 = false;
    bool tabsCleared = false;
    bool link = false;
    kj::uint titles = 0;                   // pushed
    kj::Vector<kj::uint> keyResources;     // of xterm's modifyKeys, that were changed
    bool keyFormat = false;                // xterm's formatOtherKeys
    kj::Vector<kj::uint> colors;           // OSC numbers of those that were changed
    Keyboard mainKeyboard, otherKeyboard;  // of the other screen
  };

  EscapeSplitter splitter;
  Modes modes;

  bool onOtherScreen() const;
  void noteText(kj::ArrayPtr<const kj::byte> text);
  void noteSequence(kj::ArrayPtr<const kj::byte> sequence);
  void noteEscape(kj::ArrayPtr<const kj::byte> sequence);
  void noteControl(kj::ArrayPtr<const kj::byte> sequence);
  void notePrivateMode(kj::uint mode, bool set);
  void noteKeyboard(kj::byte mark, kj::uint number);
  void noteString(kj::ArrayPtr<const kj::byte> sequence);
  void softReset();
  static kj::String popKeyboard(const Keyboard& keyboard);
};

}  // namespace bothy
