#pragma once

#include <kj/common.h>
#include <kj/memory.h>
#include <kj/string.h>

#include <cstdint>

typedef struct VTerm VTerm;
typedef struct VTermScreen VTermScreen;

namespace bothy {

// What a person would see: a terminal emulator (libvterm) without a window.
class Screen final {
public:
  Screen(uint16_t columns, uint16_t rows);
  ~Screen() noexcept;
  KJ_DISALLOW_COPY_AND_MOVE(Screen);

  // Interprets output of a program.
  void feed(kj::ArrayPtr<const kj::byte> output);
  void resize(uint16_t columns, uint16_t rows);
  struct Size {
    uint16_t columns, rows;
  };
  Size size() const { return {columns, rows}; }

  // A line of the screen, from 0, in UTF-8, without trailing blanks.
  kj::String line(uint16_t row) const;
  // All lines, joined with line feeds, without the empty ones at the end.
  kj::String text() const;

  // All that it shows and how it is set: cells with their looks, cursor, title, modes, margins.  Equal for two screens that a person
  // cannot tell from each other.  Nothing that it was fed may be cut short.
  kj::String describe();

  // What the emulator answers to queries in the output (a real terminal would type it).  Taking it empties it.
  kj::Array<kj::byte> takeAnswers();

private:
  VTerm* terminal;
  VTermScreen* screen;
  uint16_t columns;
  uint16_t rows;
  struct Properties;
  kj::Own<Properties> properties;

  kj::String ask(kj::StringPtr query);
};

}  // namespace bothy
