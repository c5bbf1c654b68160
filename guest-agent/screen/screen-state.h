#pragma once

#include <iterator>

#include <kj/string.h>

#include "screen/combining-marks.h"
#include "screen/screen-grid.h"

namespace bothy {

// A mode that "CSI ? number h" turns on and "l" off.
struct PrivateMode {
  kj::uint number;
  // How a terminal has it at first; UNSET: each as its owner wants it.
  enum class Value : kj::byte { UNSET, OFF, ON } first;
  // Of several of a kind one is on at a time; 0: it has no others.
  kj::byte kind;
};

// Those that a redraw brings over.  Not among them: 2026, which holds the screen back until its end comes, and 2048, at which a
// terminal types at once.
constexpr kj::byte MOUSE_EVENTS = 1, MOUSE_ENCODING = 2;
constexpr PrivateMode PRIVATE_MODES[] = {
    {1, PrivateMode::Value::OFF, 0},  // cursor keys for applications
    {5, PrivateMode::Value::OFF, 0},  // reverse video
    {7, PrivateMode::Value::ON, 0},   // lines wrap
    {12, PrivateMode::Value::UNSET, 0},
    {25, PrivateMode::Value::ON, 0},   // the cursor is shown
    {45, PrivateMode::Value::OFF, 0},  // backspace wraps
    {69, PrivateMode::Value::OFF, 0},  // left and right margins
    {9, PrivateMode::Value::OFF, MOUSE_EVENTS},
    {1000, PrivateMode::Value::OFF, MOUSE_EVENTS},
    {1002, PrivateMode::Value::OFF, MOUSE_EVENTS},
    {1003, PrivateMode::Value::OFF, MOUSE_EVENTS},
    {1004, PrivateMode::Value::OFF, 0},  // focus
    {1005, PrivateMode::Value::OFF, MOUSE_ENCODING},
    {1006, PrivateMode::Value::OFF, MOUSE_ENCODING},
    {1015, PrivateMode::Value::OFF, MOUSE_ENCODING},
    {1016, PrivateMode::Value::OFF, MOUSE_ENCODING},
    {1007, PrivateMode::Value::UNSET, 0},  // the wheel types cursor keys
    {2004, PrivateMode::Value::OFF, 0},    // bracketed paste
    {2031, PrivateMode::Value::OFF, 0},    // reports of the color scheme
};
constexpr size_t PRIVATE_MODE_COUNT = std::size(PRIVATE_MODES);

// Character sets: which is which of G0 to G3, and which of them is used.
struct Charsets {
  char designated[4] = {'B', 'B', 'B', 'B'};
  kj::byte used = 0;
  bool operator==(const Charsets&) const = default;
};

struct ScreenCursor {
  kj::uint row = 0;
  kj::uint column = 0;
  bool wraps = false;   // the last column was written to: the next character begins the next line
  bool origin = false;  // it stays within the margins, and is counted from them
  Pen pen;
  Charsets charsets;
};

// Kitty's keyboard flags, of which programs keep a stack.
struct KeyboardFlags {
  static constexpr size_t MAX_FLAGS = 8;  // of more the oldest are forgotten
  kj::byte flags[MAX_FLAGS] = {};         // the first is what was there before any
  size_t pushed = 0;

  void push(kj::byte added);
  void pop(kj::uint count);
  void set(kj::byte given, kj::uint how);
};

// One of a terminal's two screens.
struct ScreenPlane {
  kj::Own<ScreenGrid> grid;
  ScreenCursor saved;
  bool isSaved = false;  // by the program
  KeyboardFlags keyboard;
};

// All that there is to know of a terminal's screen.
struct ScreenState {
  kj::uint columns = 0;
  kj::uint rows = 0;
  ScreenPlane main;
  ScreenPlane other;       // has a grid while it is shown
  kj::uint otherMode = 0;  // that showed it: 47, 1047 or 1049; 0: the main one is shown

  ScreenCursor cursor;
  ScreenGrid::Area margins{0, 0, 0, 0};
  PrivateMode::Value modes[PRIVATE_MODE_COUNT] = {};
  bool insert = false;
  bool newLine = false;
  bool keypad = false;
  kj::uint cursorShape = 0;      // of "CSI n SP q"
  kj::uint modifyOtherKeys = 0;  // of "CSI > 4 ; n m"
  kj::uint formatOtherKeys = 0;  // of "CSI > 4 ; n f"
  kj::Array<bool> tabs;          // by columns
  CombiningMarks marks;

  kj::String title = kj::str();
  kj::String directory = kj::str();
  static constexpr size_t OWN_COLORS = 3;
  kj::String ownColors
      [OWN_COLORS];  // of characters, background, cursor, as "OSC 10" and on set them; empty: as they were

  const ScreenPlane& shown() const { return otherMode == 0 ? main : other; }
  ScreenPlane& shown() { return otherMode == 0 ? main : other; }

  // Whether a mode of PRIVATE_MODES is on, by its number.
  bool isOn(kj::uint number) const;
  void setMode(kj::uint number, bool on);
  bool isDefaultTab(kj::uint column) const { return column > 0 && column % TAB == 0; }
  static constexpr kj::uint TAB = 8;
};

}  // namespace bothy
