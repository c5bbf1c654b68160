#include "tty/escape-splitter.h"

namespace bothy {
namespace {

constexpr kj::byte ESCAPE = 0x1b;
constexpr kj::byte BELL = 0x07;
constexpr kj::byte CANCEL = 0x18;
constexpr kj::byte SUBSTITUTE = 0x1a;

}  // namespace

void EscapeSplitter::split(Piece output, Handler handler) {
  size_t textBegin = 0;
  for (size_t i = 0; i < output.size(); ++i) {
    kj::byte next = output[i];
    if (state == State::TEXT) {
      if (next != ESCAPE) continue;
      if (i > textBegin) handler(Kind::TEXT, output.slice(textBegin, i));
      held.add(next);
      state = State::ESCAPE;
      continue;
    }
    held.add(next);
    if (ends(next) || held.size() >= MAX_SEQUENCE_BYTES) {
      state = State::TEXT;
      textBegin = i + 1;
      handler(Kind::SEQUENCE, held.asPtr());
      held.clear();
    }
  }
  if (state == State::TEXT && textBegin < output.size()) {
    handler(Kind::TEXT, output.slice(textBegin, output.size()));
  }
}

// Whether the sequence is complete with `next`.
bool EscapeSplitter::ends(kj::byte next) {
  // A terminal gives a sequence up at these.
  if (next == CANCEL || next == SUBSTITUTE) return true;
  switch (state) {
    case State::TEXT:
      return true;
    case State::ESCAPE:
      if (next == '[') {
        state = State::CONTROL;
      } else if (next == ']' || next == 'P' || next == '_' || next == '^' || next == 'X') {
        state = State::STRING;
      } else if (next >= 0x20 && next <= 0x2f) {
        state = State::INTERMEDIATE;
      } else {
        return next != ESCAPE;
      }
      return false;
    case State::INTERMEDIATE:
      return next >= 0x30;
    case State::CONTROL:
      return next >= 0x40 && next <= 0x7e;
    case State::STRING:
      if (next == ESCAPE) state = State::STRING_ESCAPE;
      return next == BELL;
    case State::STRING_ESCAPE:
      return true;  // ESC \, or whatever a terminal ends the string at
  }
  return true;
}

}  // namespace bothy
