#include "screen/pen-sequence.h"

namespace bothy {
namespace {

// Reads a color behind 38 or 48, in the forms "38;5;n", "38;2;r;g;b", "38:5:n", "38:2:r:g:b" and "38:2:space:r:g:b".  How many
// numbers it takes.
size_t readColor(const ControlSequence& sequence, size_t i, Color& color) {
  auto byteAt = [&](size_t at) {
    return static_cast<uint8_t>(kj::min(sequence.number(at), kj::uint{0xff}));
  };
  size_t parts = 0;
  while (i + 1 + parts < sequence.count && sequence.isPart[i + 1 + parts]) ++parts;
  const bool inParts = parts > 0;
  const auto kind = sequence.number(i + 1);
  if (kind == 5 && (!inParts || parts >= 2)) {
    if (i + 2 < sequence.count) color = Color::indexed(byteAt(i + 2));
    return inParts ? parts : 2;
  }
  if (kind == 2 && (!inParts || parts >= 4)) {
    // A color space stands before the three where there are more than they.
    size_t first = i + 2 + (parts >= 5 ? 1 : 0);
    if (first + 2 < sequence.count) {
      color = Color::rgb(byteAt(first), byteAt(first + 1), byteAt(first + 2));
    }
    return inParts ? parts : 4;
  }
  return inParts ? parts : 1;
}

void setUnderline(Pen& pen, kj::uint style) {
  constexpr kj::uint LAST_STYLE = 5;
  pen.attributes &= static_cast<uint16_t>(~attribute::UNDERLINE);
  pen.attributes |= static_cast<uint16_t>(kj::min(style, LAST_STYLE) << attribute::UNDERLINE_SHIFT);
}

}  // namespace

void applyRendition(Pen& pen, const ControlSequence& sequence) {
  auto turn = [&](uint16_t which, bool on) {
    pen.attributes = static_cast<uint16_t>(on ? pen.attributes | which : pen.attributes & ~which);
  };
  auto reset = [&]() {
    const auto kept = static_cast<uint16_t>(pen.attributes & attribute::PROTECTED);
    pen = Pen();
    pen.attributes = kept;
  };
  if (sequence.count == 0) reset();
  for (size_t i = 0; i < sequence.count; ++i) {
    const auto number = sequence.numbers[i];
    const bool hasPart = i + 1 < sequence.count && sequence.isPart[i + 1];
    switch (number) {
      case 0:
        reset();
        break;
      case 1:
        turn(attribute::BOLD, true);
        break;
      case 2:
        turn(attribute::DIM, true);
        break;
      case 3:
        turn(attribute::ITALIC, true);
        break;
      case 4:
        setUnderline(pen, hasPart ? sequence.number(i + 1) : 1);
        break;
      case 5:
      case 6:
        turn(attribute::BLINK, true);
        break;
      case 7:
        turn(attribute::REVERSE, true);
        break;
      case 8:
        turn(attribute::CONCEALED, true);
        break;
      case 9:
        turn(attribute::STRUCK, true);
        break;
      case 21:
        setUnderline(pen, 2);
        break;
      case 22:
        turn(attribute::BOLD | attribute::DIM, false);
        break;
      case 23:
        turn(attribute::ITALIC, false);
        break;
      case 24:
        setUnderline(pen, 0);
        break;
      case 25:
        turn(attribute::BLINK, false);
        break;
      case 27:
        turn(attribute::REVERSE, false);
        break;
      case 28:
        turn(attribute::CONCEALED, false);
        break;
      case 29:
        turn(attribute::STRUCK, false);
        break;
      case 38:
        i += readColor(sequence, i, pen.foreground);
        continue;
      case 39:
        pen.foreground = Color();
        break;
      case 48:
        i += readColor(sequence, i, pen.background);
        continue;
      case 49:
        pen.background = Color();
        break;
      case 53:
        turn(attribute::OVERLINED, true);
        break;
      case 55:
        turn(attribute::OVERLINED, false);
        break;
      case 58: {
        Color unused;  // of the underline: not kept
        i += readColor(sequence, i, unused);
        continue;
      }
      default:
        if (number >= 30 && number <= 37) {
          pen.foreground = Color::indexed(static_cast<uint8_t>(number - 30));
        } else if (number >= 40 && number <= 47) {
          pen.background = Color::indexed(static_cast<uint8_t>(number - 40));
        } else if (number >= 90 && number <= 97) {
          pen.foreground = Color::indexed(static_cast<uint8_t>(number - 90 + 8));
        } else if (number >= 100 && number <= 107) {
          pen.background = Color::indexed(static_cast<uint8_t>(number - 100 + 8));
        }
    }
    // Parts of a number that is done.
    while (i + 1 < sequence.count && sequence.isPart[i + 1]) ++i;
  }
}

}  // namespace bothy
