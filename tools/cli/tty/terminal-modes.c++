#include "tty/terminal-modes.h"

#include <algorithm>
#include <iterator>

#include "tty/control-parameters.h"

namespace bothy {
namespace {

// Off by default, and in the way of a shell when they are on.
constexpr kj::uint OFF_BY_DEFAULT[] = {
    2026,                                                        // output is held back
    1,                                                           // cursor keys for applications
    5,                                                           // reverse video
    45,                                                          // backspace wraps
    67,                                                          // and types another byte
    69,                                                          // left and right margins
    9,    1000, 1001, 1002, 1003, 1004, 1005, 1006, 1015, 1016,  // mouse and focus reports
    1007,                                                        // the wheel types cursor keys
    2004,                                                        // bracketed paste
    2027, 2031, 2048,  // width of emoji; reports of colors and sizes
    9001,              // keys as Windows has them
};
// They are left last: what else is to be undone is undone on the screen on which it was done.
constexpr kj::uint OTHER_SCREENS[] = {47, 1047, 1049};
constexpr kj::uint ANSI = 2, ORIGIN = 6, WRAP = 7, REPEAT = 8, CURSOR_SHOWN = 25, KEYPAD = 66;
// Colors of which a program sets one or more by "OSC number" and which "OSC number + 100" gives back: the palette, colors of bold text and its
// like, of text, background, cursor, pointer and selection.
constexpr kj::uint COLORS[] = {4, 5, 10, 11, 12, 13, 14, 17, 19};
constexpr kj::uint COLOR_RESET = 100;

constexpr kj::uint MAX_KEY_RESOURCE = 7;  // of xterm's modifyKeys
constexpr kj::uint MAX_PUSHES = 16;  // of titles and keyboard flags; what is beyond is not undone

template <size_t n>
bool isOneOf(const kj::uint (&modes)[n], kj::uint mode) {
  return std::find(std::begin(modes), std::end(modes), mode) != std::end(modes);
}

void put(kj::Vector<kj::uint>& set, kj::uint value, bool present) {
  auto known = std::find(set.begin(), set.end(), value);
  if (present && known == set.end()) set.add(value);
  if (!present && known != set.end()) {
    *known = set.back();
    set.removeLast();
  }
}

}  // namespace

void TerminalModes::follow(kj::ArrayPtr<const kj::byte> output) {
  splitter.split(output, [this](EscapeSplitter::Kind kind, kj::ArrayPtr<const kj::byte> piece) {
    if (kind == EscapeSplitter::Kind::SEQUENCE) {
      noteSequence(piece);
    } else {
      noteText(piece);
    }
  });
}

bool TerminalModes::onOtherScreen() const {
  return std::any_of(modes.on.begin(), modes.on.end(),
                     [](kj::uint mode) { return isOneOf(OTHER_SCREENS, mode); });
}

void TerminalModes::noteText(kj::ArrayPtr<const kj::byte> text) {
  constexpr kj::byte SHIFT_OUT = 0x0e, SHIFT_IN = 0x0f;
  for (auto byte : text) {
    if (byte == SHIFT_OUT) modes.shiftedOut = true;
    if (byte == SHIFT_IN) modes.shiftedOut = false;
  }
}

void TerminalModes::noteSequence(kj::ArrayPtr<const kj::byte> sequence) {
  if (sequence.size() < 2) return;
  switch (sequence[1]) {
    case '[':
      if (sequence.size() > 2) noteControl(sequence);
      break;
    case ']':
      noteString(sequence);
      break;
    default:
      noteEscape(sequence);
  }
}

void TerminalModes::noteEscape(kj::ArrayPtr<const kj::byte> sequence) {
  bool isShort = sequence.size() == 2;
  switch (sequence[1]) {
    case 'c':
      if (isShort) modes = Modes();  // RIS
      break;
    case '=':
    case '>':
      if (isShort) modes.keypad = sequence[1] == '=';
      break;
    case 'n':
    case 'o':
      if (isShort) modes.shiftedOut = true;  // LS2, LS3
      break;
    case '(':
      modes.charset = sequence.back() != 'B';
      break;
    case ' ':
      if (sequence.back() == 'F' || sequence.back() == 'G') {
        modes.wideControls = sequence.back() == 'G';
      }
      break;
    case '<':
      if (isShort) modes.asVt52 = false;
      break;
    case '%':
      modes.notUtf8 = sequence.back() == '@';
      break;
  }
}

void TerminalModes::noteControl(kj::ArrayPtr<const kj::byte> sequence) {
  ControlParameters given(sequence);
  auto mark = given.mark();
  kj::byte final = sequence.back();
  bool isPlain = mark == 0 && given.intermediate() == 0;
  switch (final) {
    case 'h':
    case 'l':
      for (size_t i = 0; i < given.size(); ++i) {
        bool set = final == 'h';
        auto mode = given.number(i);
        if (mark == '?') notePrivateMode(mode, set);
        if (isPlain && mode == 2) modes.locked = set;
        if (isPlain && mode == 4) modes.insert = set;
        if (isPlain && mode == 12) modes.localEcho = !set;
        if (isPlain && mode == 20) modes.newLine = set;
      }
      break;
    case 'm':
      if (isPlain) modes.attributes = given.size() > 1 || given.number(0) != 0;
      if (mark == '>' && given.number(0) <= MAX_KEY_RESOURCE) {
        put(modes.keyResources, given.number(0), given.number(1) != 0);
      }
      break;
    case 'n':
      if (mark == '>') put(modes.keyResources, given.number(0), false);
      break;
    case 'f':
      if (mark == '>' && given.number(0) == 4) modes.keyFormat = given.number(1) != 0;
      break;
    case 'r':
      if (isPlain) modes.margins = given.number(0) > 1 || given.number(1) != 0;
      break;
    case 'q':
      if (given.intermediate() == ' ') modes.cursorShaped = given.number(0) != 0;
      if (given.intermediate() == '"') modes.isProtected = given.number(0) == 1;
      break;
    case 'g':
      if (isPlain && given.number(0) == 3) modes.tabsCleared = true;
      break;
    case 't':
      if (!isPlain) break;
      if (given.number(0) == 22 && modes.titles < MAX_PUSHES) ++modes.titles;
      if (given.number(0) == 23 && modes.titles > 0) --modes.titles;
      break;
    case 'u':
      if (mark != 0) noteKeyboard(mark, given.number(0));
      break;
    case 'p':
      if (given.intermediate() == '!') softReset();
      break;
  }
}

void TerminalModes::notePrivateMode(kj::uint mode, bool set) {
  switch (mode) {
    case ORIGIN:
      modes.origin = set;
      break;
    case WRAP:
      modes.noWrap = !set;
      break;
    case ANSI:
      if (!set) modes.asVt52 = true;
      break;
    case REPEAT:
      modes.noRepeat = !set;
      break;
    case CURSOR_SHOWN:
      modes.cursorHidden = !set;
      break;
    case KEYPAD:
      modes.keypad = set;
      break;
    default:
      if (isOneOf(OFF_BY_DEFAULT, mode) || isOneOf(OTHER_SCREENS, mode)) put(modes.on, mode, set);
  }
}

void TerminalModes::noteKeyboard(kj::byte mark, kj::uint number) {
  auto& keyboard = onOtherScreen() ? modes.otherKeyboard : modes.mainKeyboard;
  switch (mark) {
    case '>':
      if (keyboard.pushes < MAX_PUSHES) ++keyboard.pushes;
      break;
    case '<':
      keyboard.pushes -= kj::min(keyboard.pushes, kj::max(number, kj::uint{1}));
      break;
    case '=':
      keyboard.isSet = number != 0;
      break;
  }
}

void TerminalModes::noteString(kj::ArrayPtr<const kj::byte> sequence) {
  kj::uint number = 0;
  size_t i = 2;
  for (; i < sequence.size() && sequence[i] >= '0' && sequence[i] <= '9'; ++i) {
    number = kj::min(number * 10 + (sequence[i] - '0'), ControlParameters::MAX_NUMBER);
  }
  auto rest = sequence.slice(i, sequence.size());
  bool isQuery = std::find(rest.begin(), rest.end(), '?') != rest.end();
  if (isOneOf(COLORS, number) && !isQuery) put(modes.colors, number, true);
  // One that gives back some of several need not give back all.
  const bool isWhole =
      std::none_of(rest.begin(), rest.end(), [](kj::byte c) { return c >= '0' && c <= '9'; });
  if (number > COLOR_RESET && isOneOf(COLORS, number - COLOR_RESET) && isWhole) {
    put(modes.colors, number - COLOR_RESET, false);
  }
  switch (number) {
    case 9:
      // "4 ; state ; percent" is the progress that a terminal shows in its bar.
      if (rest.size() >= 4 && rest[1] == '4' && rest[2] == ';') modes.progress = rest[3] != '0';
      break;
    case 22:
      if (!isQuery) modes.pointer = rest.size() > 1 && rest[1] > ' ';
      break;
    case 8:
      // "8 ; parameters ; address": a link ends with an empty address.
      if (auto last = std::find(rest.begin() + kj::min(rest.size(), size_t{1}), rest.end(), ';');
          last != rest.end()) {
        modes.link = last + 1 != rest.end() && last[1] >= ' ';
      }
      break;
  }
}

kj::String TerminalModes::popKeyboard(const Keyboard& keyboard) {
  return kj::str(keyboard.isSet ? "\033[=0u" : "",
                 keyboard.pushes > 0 ? kj::str("\033[<", keyboard.pushes, "u") : kj::str());
}

void TerminalModes::softReset() {
  modes.attributes = modes.cursorHidden = modes.keypad = modes.margins = false;
  modes.noWrap = modes.insert = modes.origin = modes.charset = modes.shiftedOut = false;
  put(modes.on, 1, false);
}

kj::String TerminalModes::resetSequence() const {
  kj::Vector<kj::String> parts;
  auto undo = [&parts](bool needed, kj::StringPtr how) {
    if (needed) parts.add(kj::str(how));
  };
  undo(splitter.isWithin(), "\x18");  // a sequence that did not end is given up
  undo(modes.asVt52, "\033<");        // nothing else is understood before
  undo(modes.wideControls, "\033 F");
  for (auto mode : modes.on) {
    if (!isOneOf(OTHER_SCREENS, mode)) parts.add(kj::str("\033[?", mode, "l"));
  }
  if (onOtherScreen()) {
    parts.add(popKeyboard(modes.otherKeyboard));
    for (auto mode : modes.on) {
      if (isOneOf(OTHER_SCREENS, mode)) parts.add(kj::str("\033[?", mode, "l"));
    }
  }
  // Terminals know DECSTR in part only: what it is to do is done one by one as well.
  bool isSoft = modes.margins || modes.insert || modes.origin || modes.noWrap || modes.charset ||
                modes.shiftedOut;
  undo(isSoft, "\033[!p");
  undo(modes.attributes, "\033[0m");
  undo(modes.charset, "\033(B");
  undo(modes.shiftedOut, "\x0f");
  undo(modes.notUtf8, "\033%G");
  undo(modes.isProtected, "\033[0\"q");
  undo(modes.noRepeat, "\033[?8h");
  undo(modes.insert, "\033[4l");
  undo(modes.newLine, "\033[20l");
  undo(modes.locked, "\033[2l");
  undo(modes.localEcho, "\033[12h");
  undo(isSoft, "\033[?7h");                 // VT terminals stop to wrap with DECSTR
  undo(modes.margins, "\0337\033[r\0338");  // "[r" moves the cursor
  undo(modes.origin, "\033[?6l\033[999H");  // so does this, and where it was is not known
  undo(modes.tabsCleared, "\033[?5W");
  undo(modes.link, "\033]8;;\033\\");
  undo(modes.cursorHidden, "\033[?25h");
  undo(modes.cursorShaped, "\033[0 q");
  undo(modes.keypad, "\033>");
  for (auto resource : modes.keyResources) parts.add(kj::str("\033[>", resource, "m"));
  undo(modes.keyFormat, "\033[>4f");
  for (auto color : modes.colors) parts.add(kj::str("\033]", COLOR_RESET + color, "\033\\"));
  undo(modes.pointer, "\033]22;\033\\");
  undo(modes.progress, "\033]9;4;0\033\\");
  parts.add(popKeyboard(modes.mainKeyboard));
  for (kj::uint i = 0; i < modes.titles; ++i) parts.add(kj::str("\033[23;0t"));
  return kj::strArray(parts, "");
}

}  // namespace bothy
