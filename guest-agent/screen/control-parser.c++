#include "screen/control-parser.h"

namespace bothy {
namespace {

constexpr kj::byte BELL = 0x07, CANCEL = 0x18, SUBSTITUTE = 0x1a, ESCAPE = 0x1b, DELETE = 0x7f;
constexpr char32_t REPLACEMENT = 0xfffd;
constexpr char32_t LAST_C1 = 0x9f, FIRST_SURROGATE = 0xd800, LAST_SURROGATE = 0xdfff,
                   LAST_CHARACTER = 0x10ffff;

bool isPrintable(kj::byte next) {
  return next >= ' ' && next < DELETE;
}

}  // namespace

size_t ControlParser::feed(kj::ArrayPtr<const kj::byte> output) {
  isPaused = false;
  size_t i = 0;
  while (i < output.size() && !isPaused) {
    if (state == State::GROUND && isPrintable(output[i])) {
      i += takeText(output.slice(i, output.size()));
    } else {
      ++begun;
      take(output[i++]);
    }
  }
  return i;
}

// How many bytes were a run of printable ASCII.
size_t ControlParser::takeText(kj::ArrayPtr<const kj::byte> output) {
  // The handler can pause between two of these.
  constexpr size_t MOST_TEXT_BYTES = 512;
  const auto most = kj::min(output.size(), MOST_TEXT_BYTES);
  size_t size = 1;
  while (size < most && isPrintable(output[size])) ++size;
  handler.onAscii(output.slice(0, size));
  return size;
}

void ControlParser::become(State next) {
  state = next;
  if (next == State::GROUND) begun = 0;
}

void ControlParser::beginEscape() {
  state = State::ESCAPE;
  begun = 1;
  intermediate = 0;
}

void ControlParser::take(kj::byte next) {
  switch (state) {
    case State::GROUND:
      return takeLead(next);
    case State::CHARACTER:
      return takeCharacter(next);
    case State::ESCAPE:
      return takeEscape(next);
    case State::CONTROL:
      return takeControl(next);
    case State::STRING:
    case State::STRING_ESCAPE:
      return takeString(next);
  }
}

void ControlParser::takeLead(kj::byte next) {
  auto begin = [&](kj::byte more, kj::byte bits, char32_t least) {
    missing = more;
    character = next & bits;
    smallest = least;
    state = State::CHARACTER;
  };
  if (next == ESCAPE) return beginEscape();
  if (next < ' ') {
    begun = 0;
    return handler.onControl(next);
  }
  if (isPrintable(next)) {
    begun = 0;
    return handler.onAscii(kj::arrayPtr(&next, 1));
  }
  if (next >= 0xc2 && next <= 0xdf) return begin(1, 0x1f, 0x80);
  if (next >= 0xe0 && next <= 0xef) return begin(2, 0x0f, 0x800);
  if (next >= 0xf0 && next <= 0xf4) return begin(3, 0x07, 0x10000);
  begun = 0;
  if (next != DELETE) handler.onCharacter(REPLACEMENT);
}

void ControlParser::takeCharacter(kj::byte next) {
  if ((next & 0xc0) != 0x80) {
    // Cut short: what comes is no part of it.
    become(State::GROUND);
    handler.onCharacter(REPLACEMENT);
    begun = 1;
    return takeLead(next);
  }
  character = character << 6 | (next & 0x3f);
  if (--missing > 0) return;
  become(State::GROUND);
  bool isValid = character >= smallest && character <= LAST_CHARACTER &&
                 !(character >= FIRST_SURROGATE && character <= LAST_SURROGATE);
  if (!isValid) return handler.onCharacter(REPLACEMENT);
  if (character > LAST_C1) handler.onCharacter(character);
}

void ControlParser::takeEscape(kj::byte next) {
  if (next == ESCAPE) return beginEscape();
  if (next == CANCEL || next == SUBSTITUTE) return become(State::GROUND);
  if (next < ' ') return handler.onControl(next);
  if (next >= 0x20 && next <= 0x2f) {
    intermediate = next;
    return;
  }
  if (intermediate == 0) {
    switch (next) {
      case '[':
        sequence = ControlSequence();
        isIgnored = false;
        state = State::CONTROL;
        return;
      case ']':
      case 'P':
      case 'X':
      case '^':
      case '_':
        stringKind = next;
        stringSize = 0;
        state = State::STRING;
        return;
    }
  }
  become(State::GROUND);
  if (next < DELETE) handler.onEscape(intermediate, next);
}

void ControlParser::takeControl(kj::byte next) {
  if (next == ESCAPE) return beginEscape();
  if (next == CANCEL || next == SUBSTITUTE) return become(State::GROUND);
  if (next < ' ') return handler.onControl(next);
  if (next >= '<' && next <= '?') {
    if (sequence.count == 0 && sequence.mark == 0) {
      sequence.mark = next;
    } else {
      isIgnored = true;
    }
    return;
  }
  if (next >= '0' && next <= ';') {
    // Numbers do not stand behind an intermediate.
    if (sequence.intermediate != 0) isIgnored = true;
    if (sequence.count == 0) sequence.count = 1;
    if (next == ';' || next == ':') {
      // What does not fit is counted no further, and its digits are not read.
      if (sequence.count <= ControlSequence::MAX_NUMBERS) ++sequence.count;
      if (sequence.count <= ControlSequence::MAX_NUMBERS) {
        sequence.isPart[sequence.count - 1] = next == ':';
      }
    } else if (sequence.count <= ControlSequence::MAX_NUMBERS) {
      auto& number = sequence.numbers[sequence.count - 1];
      number = kj::min(number * 10 + (next - '0'), ControlSequence::MAX_NUMBER);
    }
    return;
  }
  if (next <= 0x2f) {
    sequence.intermediate = next;
    return;
  }
  become(State::GROUND);
  if (next >= DELETE || isIgnored) return;
  sequence.final = next;
  sequence.count = kj::min(sequence.count, ControlSequence::MAX_NUMBERS);
  handler.onSequence(sequence);
}

void ControlParser::takeString(kj::byte next) {
  if (state == State::STRING_ESCAPE) {
    endString();
    if (next == '\\') return become(State::GROUND);
    beginEscape();
    begun = 2;  // with the escape that ended the string
    return takeEscape(next);
  }
  switch (next) {
    case ESCAPE:
      state = State::STRING_ESCAPE;
      return;
    case CANCEL:
    case SUBSTITUTE:
      return become(State::GROUND);
    case BELL:
      if (stringKind != ']') break;
      endString();
      return become(State::GROUND);
  }
  if (stringSize < MAX_STRING_BYTES) string[stringSize] = static_cast<char>(next);
  if (stringSize <= MAX_STRING_BYTES) ++stringSize;
}

void ControlParser::endString() {
  if (stringKind == ']' && stringSize <= MAX_STRING_BYTES) {
    handler.onOperatingSystemCommand(kj::arrayPtr(string, stringSize));
  }
}

kj::StringPtr ControlParser::unfinishedBeginning() const {
  switch (state) {
    case State::GROUND:
    case State::CHARACTER:
      return ""_kj;
    case State::ESCAPE:
      return "\033"_kj;
    case State::CONTROL:
      return "\033["_kj;
    case State::STRING:
    case State::STRING_ESCAPE:
      break;
  }
  switch (stringKind) {
    case ']':
      return "\033]"_kj;
    case 'P':
      return "\033P"_kj;
    case 'X':
      return "\033X"_kj;
    case '^':
      return "\033^"_kj;
    default:
      return "\033_"_kj;
  }
}

}  // namespace bothy
