#include "tty/typed-key.h"

#include "tty/control-parameters.h"

namespace bothy {
namespace {

using Kind = TypedKey::Kind;

// Modifiers as they are sent: 1 and a bit for each.  Locks change no key here.
constexpr kj::uint SHIFT = 1;
constexpr kj::uint CONTROL = 4;
constexpr kj::uint LOCKS = 64 | 128;

// Kitty's numbers of keys, in the private area of Unicode.
constexpr kj::uint FIRST_LOCK = 57358, LAST_LOCK = 57360;
constexpr kj::uint FIRST_MODIFIER = 57441, LAST_MODIFIER = 57454;
constexpr kj::uint FIRST_KEYPAD = 57399;
constexpr char KEYPAD[] = "0123456789./*-+";

constexpr kj::uint RELEASED = 3;  // of the kinds of events

// What terminals have always sent for Ctrl and a key of ASCII, the digits among them; 0xff: not one byte.
constexpr kj::byte NO_BYTE = 0xff;
kj::byte controlByte(kj::uint key) {
  constexpr char DIGITS[] = "\x00\x1b\x1c\x1d\x1e\x1f\x7f";  // of 2 to 8
  if (key >= 'a' && key <= 'z') return static_cast<kj::byte>(key - 'a' + 1);
  if (key >= '@' && key <= '_') return static_cast<kj::byte>(key - '@');
  if (key >= '2' && key <= '8') return static_cast<kj::byte>(DIGITS[key - '2']);
  switch (key) {
    case ' ':
      return 0;
    case '/':
    case '-':  // with Shift, "_"
      return 0x1f;
    case '~':
      return 0x1e;
    case '?':
      return 0x7f;
  }
  return NO_BYTE;
}

struct Encoded {
  kj::uint key = 0;
  kj::uint shifted = 0;  // what it is with Shift; 0: not told
  kj::uint base = 0;     // what it is on an American keyboard; 0: not told
  kj::uint modifiers = 0;
  kj::uint text = 0;  // what it types; 0: not told
};

TypedKey oneByte(const Encoded& typed) {
  kj::uint modifiers = typed.modifiers & ~LOCKS;
  kj::uint key = typed.key;
  if (key >= FIRST_KEYPAD && key < FIRST_KEYPAD + sizeof(KEYPAD) - 1) {
    key = static_cast<kj::byte>(KEYPAD[key - FIRST_KEYPAD]);
  }
  if ((modifiers & ~SHIFT) == CONTROL) {
    if (key > 0x7f && typed.base != 0) key = typed.base;
    bool isLetter = (key >= 'a' && key <= 'z') || (key >= 'A' && key <= 'Z');
    if ((modifiers & SHIFT) != 0) {
      if (isLetter) return {Kind::OTHER};  // a program can tell it from the one without Shift
      if (typed.shifted != 0) key = typed.shifted;
    }
    auto byte = controlByte(key);
    if (byte == NO_BYTE) return {Kind::OTHER};
    return {Kind::KEY, byte};
  }
  if ((modifiers & ~SHIFT) != 0) return {Kind::OTHER};
  if (typed.text != 0) {
    key = typed.text;
  } else if ((modifiers & SHIFT) != 0) {
    if (typed.shifted != 0) {
      key = typed.shifted;
    } else if (key >= 'a' && key <= 'z') {
      key = key - 'a' + 'A';
    }
  }
  if (key > 0x7f) return {Kind::OTHER};
  return {Kind::KEY, static_cast<kj::byte>(key)};
}

kj::uint modifiersOf(kj::uint number) {
  return number == 0 ? 0 : number - 1;
}

// "CSI key:shifted:base ; modifiers:event ; text u"
TypedKey decodeUnicodeKey(const ControlParameters& sent) {
  auto key = sent.number(0);
  if (sent.number(1, 1) == RELEASED || (key >= FIRST_LOCK && key <= LAST_LOCK) ||
      (key >= FIRST_MODIFIER && key <= LAST_MODIFIER)) {
    return {Kind::QUIET};
  }
  return oneByte({.key = key,
                  .shifted = sent.number(0, 1),
                  .base = sent.number(0, 2),
                  .modifiers = modifiersOf(sent.number(1)),
                  .text = sent.number(2)});
}

// "CSI key ; scan code ; character ; is down ; state of others ; times _"
TypedKey decodeWindowsKey(const ControlParameters& sent) {
  // Shift, Ctrl, Alt, Caps Lock, both Windows keys, Num Lock, Scroll Lock, and the first three on each side.
  constexpr kj::uint CHANGERS[] = {16, 17, 18, 20, 91, 92, 144, 145, 160, 161, 162, 163, 164, 165};
  const bool isDown = sent.number(3) != 0;
  for (auto changer : CHANGERS) {
    if (sent.number(0) == changer) return {Kind::QUIET};
  }
  if (!isDown) return {Kind::QUIET};
  const auto character = sent.number(2);
  if (character == 0 || character > 0x7f) return {Kind::OTHER};
  return {Kind::KEY, static_cast<kj::byte>(character)};
}

}  // namespace

TypedKey decodeKey(kj::ArrayPtr<const kj::byte> sequence) {
  if (sequence.size() < 3) return {Kind::OTHER};
  ControlParameters sent(sequence);
  // "<" of the mouse, "?" and ">" of answers
  if (sent.mark() != 0 || sent.intermediate() != 0) return {Kind::REPORT};
  switch (sequence.back()) {
    case 'u':
      return decodeUnicodeKey(sent);
    case '_':
      return decodeWindowsKey(sent);
    case '~':
      // "CSI 27 ; modifiers ; key ~"
      if (sent.size() == 3 && sent.number(0) == 27) {
        return oneByte({.key = sent.number(2), .modifiers = modifiersOf(sent.number(1))});
      }
      break;
    case 'I':
    case 'O':
    case 'c':
    case 'n':
    case 't':
      return {Kind::REPORT};
  }
  return {sent.number(1, 1) == RELEASED ? Kind::QUIET : Kind::OTHER};
}

}  // namespace bothy
