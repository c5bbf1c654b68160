#include "screen/terminal-screen.h"

#include <algorithm>

#include "screen/character-width.h"

namespace bothy {
namespace {

// What DEC's set of lines and signs has in the place of '_' to '~'.
constexpr char32_t LINE_DRAWING[] = {
    0x00a0, 0x25c6, 0x2592, 0x2409, 0x240c, 0x240d, 0x240a, 0x00b0, 0x00b1, 0x2424, 0x240b,
    0x2518, 0x2510, 0x250c, 0x2514, 0x253c, 0x23ba, 0x23bb, 0x2500, 0x23bc, 0x23bd, 0x251c,
    0x2524, 0x2534, 0x252c, 0x2502, 0x2264, 0x2265, 0x03c0, 0x2260, 0x00a3, 0x00b7};
constexpr kj::byte FIRST_LINE_DRAWING = '_';

kj::Array<bool> defaultTabs(const ScreenState& state, kj::uint columns) {
  auto tabs = kj::heapArray<bool>(columns);
  for (auto i : kj::indices(tabs)) tabs[i] = state.isDefaultTab(static_cast<kj::uint>(i));
  return tabs;
}

}  // namespace

TerminalScreen::TerminalScreen(OutputBudget& budget, kj::uint columns, kj::uint rows)
    : budget(budget) {
  s.columns = columns;
  s.rows = rows;
  s.main.grid = kj::heap<ScreenGrid>(budget, columns, rows);
  reset();
}

void TerminalScreen::reset() {
  spend(s.rows);
  showMain();
  s.main.grid->eraseRows(0, s.rows, Color());
  s.main.isSaved = false;
  s.main.keyboard = KeyboardFlags();
  s.cursor = ScreenCursor();
  for (auto& mode : s.modes) mode = PrivateMode::Value::UNSET;
  s.newLine = false;
  s.cursorShape = 0;
  s.modifyOtherKeys = s.formatOtherKeys = 0;
  s.tabs = defaultTabs(s, s.columns);
  for (auto& color : s.ownColors) color = kj::str();
  lastCharacter = 0;
  resetSoftly();
}

void TerminalScreen::resetSoftly() {
  s.margins = {0, s.rows, 0, s.columns};
  s.insert = s.keypad = false;
  for (auto number : {1, 45, 69}) s.setMode(number, false);
  for (auto number : {7, 25}) s.setMode(number, true);
  s.cursor.origin = s.cursor.wraps = false;
  s.cursor.pen = Pen();
  s.cursor.charsets = Charsets();
  singleShift = 0;
  s.shown().saved = ScreenCursor();
}

size_t TerminalScreen::feed(kj::ArrayPtr<const kj::byte> output) {
  effort = 0;
  const auto skipped = skipFlood(output);
  return skipped + parser.feed(output.slice(skipped, output.size()));
}

// Of many lines of text the last fill the screen, and the others need not be looked at.  How many bytes those have.
size_t TerminalScreen::skipFlood(kj::ArrayPtr<const kj::byte> output) {
  // So many line feeds bring the cursor to the last line, and then all that was on the screen off it.
  const size_t needed = size_t{2} * s.rows;
  const auto& margins = s.margins;
  const bool isWhole = margins.top == 0 && margins.bottom == s.rows && margins.left == 0 &&
                       margins.right == s.columns;
  if (output.size() <= needed || !isWhole || !parser.isAtRest()) return 0;
  size_t end = 0, lines = 0;
  for (; end < output.size(); ++end) {
    const auto byte = output[end];
    if (byte >= ' ' && byte != 0x7f) continue;
    if (byte == '\n') {
      ++lines;
    } else if (byte != '\r' && byte != '\t') {
      break;
    }
  }
  if (lines <= needed) return 0;
  // The last of them are left.
  for (size_t left = needed; left > 0; --end) {
    if (output[end - 1] == '\n') --left;
  }
  while (end > 0 && output[end - 1] != '\n') --end;
  // Behind a line feed alone it is not known in which column the cursor is.
  if (end < 2 || (output[end - 2] != '\r' && !s.newLine)) return 0;
  s.cursor.column = 0;
  s.cursor.wraps = false;
  return end;
}

void TerminalScreen::spend(size_t cells) {
  // Some milliseconds at most.
  constexpr size_t TURN_CELLS = 256 * 1024;
  effort += cells + grid().takeEffort();
  if (effort >= TURN_CELLS) parser.pause();
}

void TerminalScreen::saveCursor() {
  s.shown().saved = s.cursor;
  s.shown().saved.wraps = false;
  s.shown().isSaved = true;
}

void TerminalScreen::resize(kj::uint columns, kj::uint rows) {
  if (columns == s.columns && rows == s.rows) return;
  // Lines at the top make room for the one with the cursor.
  auto shift = [&](kj::uint row) { return row < rows ? 0 : row - rows + 1; };
  auto fit = [&](ScreenPlane& plane, ScreenCursor& cursor) {
    auto first = shift(cursor.row);
    plane.grid->resize(columns, rows, first);
    for (auto* moved : {&cursor, &plane.saved}) {
      moved->row -= kj::min(moved->row, first);
      if (&cursor == &plane.saved) break;
    }
  };
  if (s.otherMode == 0) {
    fit(s.main, s.cursor);
  } else {
    fit(s.main, s.main.saved);
    fit(s.other, s.cursor);
  }
  auto tabs = kj::heapArray<bool>(columns);
  for (auto i : kj::indices(tabs)) {
    tabs[i] = i < s.tabs.size() ? s.tabs[i] : s.isDefaultTab(static_cast<kj::uint>(i));
  }
  s.tabs = kj::mv(tabs);
  s.columns = columns;
  s.rows = rows;
  s.margins = {0, rows, 0, columns};
  for (auto* cursor : {&s.cursor, &s.main.saved, &s.other.saved}) clampCursor(*cursor);
}

void TerminalScreen::clampCursor(ScreenCursor& cursor) const {
  if (cursor.column + 1 < s.columns) cursor.wraps = false;
  cursor.row = kj::min(cursor.row, s.rows - 1);
  cursor.column = kj::min(cursor.column, s.columns - 1);
}

void TerminalScreen::drop() {
  s.main.grid->drop();
  if (s.otherMode != 0) s.other.grid->drop();
}

TerminalScreen::News TerminalScreen::takeNews() {
  auto taken = news;
  news = News();
  return taken;
}

// ---- characters

// Behind the last column that a character may take from here.
kj::uint TerminalScreen::rightEnd() const {
  return s.cursor.column < s.margins.right ? s.margins.right : s.columns;
}

void TerminalScreen::onAscii(kj::ArrayPtr<const kj::byte> characters) {
  auto& cursor = s.cursor;
  const auto set = cursor.charsets.designated[cursor.charsets.used];
  if (s.insert || singleShift != 0 || (set != 'B' && set != '1')) {
    for (auto character : characters) put(translate(character));
    spend(characters.size());
    return;
  }
  lastCharacter = characters.back();
  KJ_DEFER(spend(0));
  while (characters.size() > 0) {
    if (cursor.wraps) wrap();
    const auto end = rightEnd();
    auto count = kj::min(characters.size(), size_t{end - cursor.column});
    const bool wraps = s.isOn(7);
    // Where lines do not wrap, what is too much replaces the last character.
    if (!wraps && characters.size() > count) {
      grid().putRun(cursor.row, cursor.column, characters.slice(0, count), cursor.pen);
      grid().putRun(cursor.row, end - 1, kj::arrayPtr(&characters.back(), 1), cursor.pen);
      cursor.column = end - 1;
      written = {cursor.row, cursor.column, cursor.column};
      return;
    }
    grid().putRun(cursor.row, cursor.column, characters.slice(0, count), cursor.pen);
    cursor.column += static_cast<kj::uint>(count);
    const auto last = cursor.column - 1;
    if (cursor.column >= end) {
      cursor.column = end - 1;
      cursor.wraps = wraps;
    }
    written = {cursor.row, last, cursor.column};
    characters = characters.slice(count, characters.size());
  }
}

char32_t TerminalScreen::translate(kj::byte character) {
  auto& charsets = s.cursor.charsets;
  const auto set = charsets.designated[singleShift != 0 ? singleShift : charsets.used];
  singleShift = 0;
  if (set == '0' && character >= FIRST_LINE_DRAWING) {
    return LINE_DRAWING[character - FIRST_LINE_DRAWING];
  }
  if (set == 'A' && character == '#') return 0xa3;
  return character;
}

void TerminalScreen::onCharacter(char32_t character) {
  singleShift = 0;
  put(character);
  spend(1);
}

void TerminalScreen::put(char32_t character) {
  const int width = character < 0x80 ? 1 : characterWidth(character);
  if (width == 0) return combine(character);
  auto& cursor = s.cursor;
  const auto needed = static_cast<kj::uint>(width);
  if (cursor.wraps) wrap();
  auto end = rightEnd();
  if (cursor.column + needed > end) {
    if (s.isOn(7)) {
      wrap();
      end = rightEnd();
    } else {
      cursor.column = end - kj::min(end, needed);
    }
    if (cursor.column + needed > end) return;  // a screen of one column
  }
  lastCharacter = character;
  if (s.insert) grid().insertCells(cursor.row, cursor.column, end, needed, background());
  grid().put(cursor.row, cursor.column,
             {character, cursor.pen.foreground, cursor.pen.background, cursor.pen.attributes, 0},
             needed == 2);
  written = {cursor.row, cursor.column, kj::min(cursor.column + needed, end - 1)};
  cursor.column += needed;
  if (cursor.column >= end) {
    cursor.column = end - 1;
    cursor.wraps = s.isOn(7);
  }
}

void TerminalScreen::combine(char32_t mark) {
  // As many as there are kinds of marks are compared.
  constexpr size_t COMPARING = CombiningMarks::MAX_KINDS / 8;
  spend(COMPARING);
  auto& cursor = s.cursor;
  if (cursor.row != written.row || cursor.column != written.after) return;
  KJ_IF_MAYBE (cell, grid().characterAt(cursor.row, written.column)) {
    if (cell->character > ' ') cell->marks = s.marks.add(cell->marks, mark);
  }
}

void TerminalScreen::wrap() {
  s.cursor.wraps = false;
  s.cursor.column = s.cursor.column >= s.margins.left ? s.margins.left : 0;
  lineFeed();
}

// ---- where the cursor goes

// Within the margins where the cursor is bound to them, and on the screen.
void TerminalScreen::moveTo(int64_t row, int64_t column) {
  ScreenGrid::Area bounds{0, s.rows, 0, s.columns};
  if (s.cursor.origin) bounds = s.margins;
  s.cursor.row =
      static_cast<kj::uint>(std::clamp<int64_t>(row, bounds.top, int64_t{bounds.bottom} - 1));
  s.cursor.column =
      static_cast<kj::uint>(std::clamp<int64_t>(column, bounds.left, int64_t{bounds.right} - 1));
  s.cursor.wraps = false;
}

// Margins hold back who comes from within.
void TerminalScreen::moveBy(int64_t rows, int64_t columns) {
  auto& cursor = s.cursor;
  int64_t row = cursor.row + rows, column = cursor.column + columns;
  if (rows < 0 && cursor.row >= s.margins.top) row = std::max<int64_t>(row, s.margins.top);
  if (rows > 0 && cursor.row < s.margins.bottom) {
    row = std::min<int64_t>(row, s.margins.bottom - 1);
  }
  if (columns < 0 && cursor.column >= s.margins.left) {
    column = std::max<int64_t>(column, s.margins.left);
  }
  if (columns > 0 && cursor.column < s.margins.right) {
    column = std::min<int64_t>(column, s.margins.right - 1);
  }
  moveTo(row, column);
}

// Counted from 1, and from the margins in origin mode.
void TerminalScreen::goTo(kj::uint row, kj::uint column) {
  int64_t r = int64_t{kj::max(row, 1U)} - 1, c = int64_t{kj::max(column, 1U)} - 1;
  if (s.cursor.origin) {
    r += s.margins.top;
    c += s.margins.left;
  }
  moveTo(r, c);
}

bool TerminalScreen::isWithinMargins() const {
  auto& cursor = s.cursor;
  return cursor.row >= s.margins.top && cursor.row < s.margins.bottom &&
         cursor.column >= s.margins.left && cursor.column < s.margins.right;
}

void TerminalScreen::lineFeed() {
  auto& cursor = s.cursor;
  if (cursor.row + 1 == s.margins.bottom) {
    if (cursor.column >= s.margins.left && cursor.column < s.margins.right) {
      grid().scrollUp(s.margins, 1, background());
    }
  } else if (cursor.row + 1 < s.rows) {
    ++cursor.row;
  }
}

void TerminalScreen::reverseLineFeed() {
  auto& cursor = s.cursor;
  cursor.wraps = false;
  if (cursor.row == s.margins.top) {
    if (isWithinMargins()) grid().scrollDown(s.margins, 1, background());
  } else if (cursor.row > 0) {
    --cursor.row;
  }
}

void TerminalScreen::tab(kj::uint count) {
  auto& cursor = s.cursor;
  const auto end = rightEnd();
  for (; count > 0 && cursor.column + 1 < end; --count) {
    do ++cursor.column;
    while (cursor.column + 1 < end && !s.tabs[cursor.column]);
  }
}

void TerminalScreen::backTab(kj::uint count) {
  auto& cursor = s.cursor;
  cursor.wraps = false;
  for (; count > 0 && cursor.column > 0; --count) {
    do --cursor.column;
    while (cursor.column > 0 && !s.tabs[cursor.column]);
  }
}

void TerminalScreen::restoreCursor() {
  s.cursor = s.shown().saved;
  clampCursor(s.cursor);
  // The margins may be others than they were.
  if (s.cursor.origin) moveTo(s.cursor.row, s.cursor.column);
}

void TerminalScreen::showOther(kj::uint mode) {
  if (mode == 1049) saveCursor();
  if (s.otherMode == 0) {
    spend(size_t{s.rows} * s.columns);
    s.other.grid = kj::heap<ScreenGrid>(budget, s.columns, s.rows);
    s.other.keyboard = KeyboardFlags();
    s.other.saved = ScreenCursor();
    s.other.isSaved = false;
    s.otherMode = mode;
  }
  if (mode == 1049) grid().eraseRows(0, s.rows, background());
}

void TerminalScreen::showMain() {
  s.otherMode = 0;
  s.other.grid = nullptr;
}

}  // namespace bothy
