#pragma once

#include <stdint.h>

namespace bothy {

// Of a character or its background: the terminal's own, one of 256, or 24 bits.
class Color final {
public:
  enum class Kind : uint8_t { OWN, INDEXED, RGB };

  constexpr Color() = default;
  static constexpr Color indexed(uint8_t index) { return Color(1U << 24 | index); }
  static constexpr Color rgb(uint8_t red, uint8_t green, uint8_t blue) {
    return Color(2U << 24 | uint32_t{red} << 16 | uint32_t{green} << 8 | blue);
  }

  Kind kind() const { return static_cast<Kind>(value >> 24); }
  uint8_t index() const { return value & 0xff; }
  uint8_t red() const { return value >> 16 & 0xff; }
  uint8_t green() const { return value >> 8 & 0xff; }
  uint8_t blue() const { return value & 0xff; }

  bool operator==(const Color&) const = default;

private:
  constexpr explicit Color(uint32_t value) : value(value) {}

  uint32_t value = 0;  // the kind, and three bytes
};

// How a character looks: bits of `Pen::attributes`.
namespace attribute {
constexpr uint16_t BOLD = 1 << 0;
constexpr uint16_t DIM = 1 << 1;
constexpr uint16_t ITALIC = 1 << 2;
constexpr uint16_t BLINK = 1 << 3;
constexpr uint16_t REVERSE = 1 << 4;
constexpr uint16_t CONCEALED = 1 << 5;
constexpr uint16_t STRUCK = 1 << 6;
constexpr uint16_t OVERLINED = 1 << 7;
constexpr uint16_t PROTECTED = 1 << 8;   // from selective erasure; is not seen
constexpr unsigned UNDERLINE_SHIFT = 9;  // three bits: 0 none, else as "CSI 4 : n m" has it
constexpr uint16_t UNDERLINE = 7 << UNDERLINE_SHIFT;
}  // namespace attribute

struct Pen {
  Color foreground;
  Color background;
  uint16_t attributes = 0;

  bool operator==(const Pen&) const = default;
};

// One place of a screen.
struct Cell {
  char32_t character = 0;  // 0: nothing was written here
  Color foreground;
  Color background;
  uint16_t attributes = 0;
  uint16_t marks = 0;  // what combines with the character: a number of CombiningMarks, 0 for none

  // The right half of a character that takes two places.
  static constexpr char32_t RIGHT_HALF = 0xffffffff;

  Pen pen() const { return {foreground, background, attributes}; }
  // Looks like a screen that was just erased.
  bool isBlank() const {
    constexpr uint16_t SEEN =
        static_cast<uint16_t>(~(attribute::PROTECTED | attribute::BOLD | attribute::DIM |
                                attribute::ITALIC | attribute::BLINK | attribute::CONCEALED));
    return (character == 0 || character == ' ') && background == Color() &&
           (attributes & SEEN) == 0;
  }
};
static_assert(sizeof(Cell) == 16);

}  // namespace bothy
