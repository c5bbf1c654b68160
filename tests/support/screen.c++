#include "support/screen.h"

#include <kj/vector.h>
#include <vterm.h>

namespace bothy {

Screen::Screen(uint16_t columns, uint16_t rows)
    : terminal(vterm_new(rows, columns)),
      screen(vterm_obtain_screen(terminal)),
      columns(columns),
      rows(rows) {
  vterm_set_utf8(terminal, 1);
  vterm_screen_enable_altscreen(screen, 1);
  vterm_screen_reset(screen, 1);
}

Screen::~Screen() noexcept {
  vterm_free(terminal);
}

void Screen::feed(kj::ArrayPtr<const kj::byte> output) {
  vterm_input_write(terminal, reinterpret_cast<const char*>(output.begin()), output.size());
}

void Screen::resize(uint16_t newColumns, uint16_t newRows) {
  columns = newColumns;
  rows = newRows;
  vterm_set_size(terminal, rows, columns);
}

kj::String Screen::line(uint16_t row) const {
  constexpr size_t MAX_CELL_BYTES = VTERM_MAX_CHARS_PER_CELL * 6;
  auto buffer = kj::heapArray<char>(columns * MAX_CELL_BYTES + 1);
  VTermRect rect = {row, row + 1, 0, columns};
  size_t length = vterm_screen_get_text(screen, buffer.begin(), buffer.size() - 1, rect);
  while (length > 0 && (buffer[length - 1] == ' ' || buffer[length - 1] == '\0')) --length;
  return kj::heapString(buffer.begin(), length);
}

kj::String Screen::text() const {
  kj::Vector<kj::String> lines;
  for (uint16_t row = 0; row < rows; ++row) lines.add(line(row));
  while (!lines.empty() && lines.back().size() == 0) lines.removeLast();
  return kj::strArray(lines, "\n");
}

kj::Array<kj::byte> Screen::takeAnswers() {
  kj::Vector<kj::byte> answers;
  kj::byte buffer[256];
  while (size_t n = vterm_output_read(terminal, reinterpret_cast<char*>(buffer), sizeof(buffer))) {
    answers.addAll(kj::arrayPtr(buffer, n));
  }
  return answers.releaseAsArray();
}

}  // namespace bothy
