#pragma once

#include <stdint.h>

#include <kj/array.h>
#include <kj/string.h>

namespace bothy {

// "ESC [ mark numbers intermediate final".  A number that is not given is 0.
struct ControlSequence {
  static constexpr size_t MAX_NUMBERS = 32;  // what is beyond is not read
  static constexpr kj::uint MAX_NUMBER = 0xffff;

  kj::byte mark = 0;          // one of "<=>?", or 0
  kj::byte intermediate = 0;  // the last of 0x20..0x2f, or 0
  kj::byte final = 0;
  size_t count = 0;  // of numbers, empty ones too
  kj::uint numbers[MAX_NUMBERS] = {};
  bool isPart[MAX_NUMBERS] = {};  // it stands behind a ":", not behind a ";"

  kj::uint number(size_t i) const { return i < count ? numbers[i] : 0; }
  // Of something that there is one of where none is given.
  kj::uint atLeastOne(size_t i) const { return kj::max(number(i), kj::uint{1}); }
};

// Told what a program writes to its terminal.
class ControlHandler {
public:
  // Characters from ' ' to '~'.
  virtual void onAscii(kj::ArrayPtr<const kj::byte> characters) = 0;
  // One above them, U+FFFD in place of what is no UTF-8.
  virtual void onCharacter(char32_t character) = 0;
  // A byte below ' '.
  virtual void onControl(kj::byte control) = 0;
  // "ESC intermediate final"; no intermediate: 0.
  virtual void onEscape(kj::byte intermediate, kj::byte final) = 0;
  virtual void onSequence(const ControlSequence& sequence) = 0;
  // What stands between "ESC ]" and its end: at most ControlParser::MAX_STRING_BYTES, longer ones are not told.
  virtual void onOperatingSystemCommand(kj::ArrayPtr<const char> text) = 0;
};

// Takes a program's output apart (ECMA-48 in UTF-8), however it is cut into pieces.  It is written for whatever bytes a hostile
// program sends: it allocates nothing that grows, and takes each byte once.
class ControlParser final {
public:
  explicit ControlParser(ControlHandler& handler) : handler(handler) {}
  KJ_DISALLOW_COPY_AND_MOVE(ControlParser);

  static constexpr size_t MAX_STRING_BYTES = 4096;

  // How much of it was taken: all, or up to where the handler paused it.
  size_t feed(kj::ArrayPtr<const kj::byte> output);
  // Nothing has begun that has not ended.
  bool isAtRest() const { return state == State::GROUND; }
  // Called by the handler: feed() returns when what is told just now is done.
  void pause() { isPaused = true; }

  // How many of the bytes that were fed last begin something that has not ended: a character, a sequence, a string.
  uint64_t unfinished() const { return begun; }
  // What makes a terminal take the rest of that for no text.
  kj::StringPtr unfinishedBeginning() const;

private:
  enum class State : kj::byte { GROUND, CHARACTER, ESCAPE, CONTROL, STRING, STRING_ESCAPE };

  ControlHandler& handler;
  State state = State::GROUND;
  uint64_t begun = 0;
  bool isPaused = false;

  // Of a character.
  char32_t character = 0;
  kj::byte missing = 0;  // bytes
  char32_t smallest = 0;

  ControlSequence sequence;
  bool isIgnored = false;
  kj::byte intermediate = 0;  // of an escape sequence

  kj::byte stringKind = 0;  // the byte behind ESC
  size_t stringSize = 0;
  char string[MAX_STRING_BYTES];

  size_t takeText(kj::ArrayPtr<const kj::byte> output);
  void take(kj::byte next);
  void takeLead(kj::byte next);
  void takeCharacter(kj::byte next);
  void takeEscape(kj::byte next);
  void takeControl(kj::byte next);
  void takeString(kj::byte next);
  void endString();
  void become(State next);
  void beginEscape();
};

}  // namespace bothy
