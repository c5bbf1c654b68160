#include "support/screen.h"

#include <kj/vector.h>
#include <vterm.h>

#include <string>

namespace bothy {

// What the emulator tells and does not keep.
struct Screen::Properties {
  std::string title;
  int values[VTERM_N_PROPS] = {};

  static int note(VTermProp property, VTermValue* value, void* self) {
    auto& properties = *static_cast<Properties*>(self);
    switch (vterm_get_prop_type(property)) {
      case VTERM_VALUETYPE_STRING:
        if (property == VTERM_PROP_TITLE) properties.title = value->string;
        break;
      case VTERM_VALUETYPE_BOOL:
        properties.values[property] = value->boolean;
        break;
      default:
        properties.values[property] = value->number;
    }
    return 1;
  }
  static constexpr VTermScreenCallbacks CALLBACKS = {nullptr, nullptr, nullptr, note,
                                                     nullptr, nullptr, nullptr, nullptr};
};

Screen::Screen(uint16_t columns, uint16_t rows)
    : terminal(vterm_new(rows, columns)),
      screen(vterm_obtain_screen(terminal)),
      columns(columns),
      rows(rows),
      properties(kj::heap<Properties>()) {
  vterm_set_utf8(terminal, 1);
  vterm_screen_set_callbacks(screen, &Properties::CALLBACKS, properties.get());
  vterm_screen_enable_altscreen(screen, 1);
  vterm_screen_reset(screen, 1);
}

Screen::~Screen() noexcept {
  vterm_free(terminal);
}

void Screen::feed(kj::ArrayPtr<const kj::byte> output) {
  // It puts four times as much on the stack.
  constexpr size_t PIECE_BYTES = 4096;
  while (output.size() > 0) {
    auto piece = output.slice(0, kj::min(output.size(), PIECE_BYTES));
    vterm_input_write(terminal, reinterpret_cast<const char*>(piece.begin()), piece.size());
    output = output.slice(piece.size(), output.size());
  }
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

kj::String Screen::ask(kj::StringPtr query) {
  takeAnswers();
  feed(query.asBytes());
  auto answers = takeAnswers();
  // Without the escapes, for people.
  kj::Vector<char> words;
  for (auto c : answers) {
    if (c >= ' ') words.add(static_cast<char>(c));
  }
  return kj::heapString(words.asPtr());
}

kj::String Screen::describe() {
  kj::Vector<kj::String> parts;
  auto color = [](const VTermColor& c) {
    if (VTERM_COLOR_IS_DEFAULT_FG(&c) || VTERM_COLOR_IS_DEFAULT_BG(&c)) return kj::str("-");
    if (VTERM_COLOR_IS_INDEXED(&c)) return kj::str(c.indexed.idx);
    return kj::str("#", kj::hex(c.rgb.red), ".", kj::hex(c.rgb.green), ".", kj::hex(c.rgb.blue));
  };
  for (int row = 0; row < rows; ++row) {
    kj::Vector<kj::String> looks;
    for (int column = 0; column < columns; ++column) {
      VTermScreenCell cell{};
      vterm_screen_get_cell(screen, {row, column}, &cell);
      auto& a = cell.attrs;
      const bool isEmpty = cell.chars[0] == 0 || cell.chars[0] == ' ';
      const bool isSeen =
          !isEmpty || a.reverse || a.underline || a.strike || !VTERM_COLOR_IS_DEFAULT_BG(&cell.bg);
      if (!isSeen) continue;
      kj::Vector<kj::String> characters;
      for (auto c : cell.chars) {
        if (c == 0) break;
        characters.add(kj::str(kj::hex(c)));
      }
      // What cannot be seen on a blank does not count.
      looks.add(kj::str(
          column, ":", isEmpty ? kj::str(" ") : kj::strArray(characters, "+"), "/",
          !isEmpty && a.bold ? "b" : "", int{a.underline}, !isEmpty && a.italic ? "i" : "",
          !isEmpty && a.blink ? "k" : "", a.reverse ? "r" : "", a.strike ? "s" : "", "/",
          isEmpty && !a.reverse && !a.underline && !a.strike ? kj::str("-") : color(cell.fg), "/",
          color(cell.bg)));
    }
    if (!looks.empty()) parts.add(kj::str(row, " ", line(row), " | ", kj::strArray(looks, " ")));
  }
  parts.add(kj::str("cursor ", ask("\033[?6n"), " pen ", ask("\033P$qm\033\\"), " shape ",
                    ask("\033P$q q\033\\"), " margins ", ask("\033P$qr\033\\"), " sides ",
                    ask("\033P$qs\033\\"), " protected ", ask("\033P$q\"q\033\\")));
  for (auto mode : {1, 5, 6, 7, 12, 25, 69, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 1047, 2004}) {
    parts.add(ask(kj::str("\033[?", mode, "$p")));
  }
  parts.add(kj::str("title ", properties->title.c_str(), " mouse ",
                    properties->values[VTERM_PROP_MOUSE]));
  return kj::strArray(parts, "\n");
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
