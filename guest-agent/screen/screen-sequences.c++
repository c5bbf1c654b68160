// TerminalScreen's control sequences.

#include "screen/pen-sequence.h"
#include "screen/terminal-screen.h"

namespace bothy {

void TerminalScreen::onSequence(const ControlSequence& sequence) {
  KJ_DEFER(spend(0));
  if (sequence.mark == 0 && sequence.intermediate == 0) {
    onPlainSequence(sequence);
  } else {
    onMarkedSequence(sequence);
  }
}

void TerminalScreen::onPlainSequence(const ControlSequence& sequence) {
  auto& cursor = s.cursor;
  const auto count = sequence.atLeastOne(0);
  switch (sequence.final) {
    case '@':
      if (isWithinMargins()) {
        cursor.wraps = false;
        grid().insertCells(cursor.row, cursor.column, s.margins.right, count, background());
      }
      break;
    case 'A':
    case 'k':
      moveBy(-int64_t{count}, 0);
      break;
    case 'B':
    case 'e':
      moveBy(count, 0);
      break;
    case 'C':
    case 'a':
      moveBy(0, count);
      break;
    case 'D':
    case 'j':
      moveBy(0, -int64_t{count});
      break;
    case 'E':
      moveBy(count, 0);
      cursor.column = s.margins.left <= cursor.column ? s.margins.left : 0;
      break;
    case 'F':
      moveBy(-int64_t{count}, 0);
      cursor.column = s.margins.left <= cursor.column ? s.margins.left : 0;
      break;
    case 'G':
    case '`':
      moveTo(cursor.row, int64_t{count} - 1 + (cursor.origin ? s.margins.left : 0));
      break;
    case 'H':
    case 'f':
      goTo(sequence.number(0), sequence.number(1));
      break;
    case 'I':
      tab(count);
      spend(s.columns);
      break;
    case 'J':
      eraseDisplay(sequence.number(0), false);
      break;
    case 'K':
      eraseLine(sequence.number(0), false);
      break;
    case 'L':
      insertLines(count);
      break;
    case 'M':
      deleteLines(count);
      break;
    case 'P':
      if (isWithinMargins()) {
        cursor.wraps = false;
        grid().deleteCells(cursor.row, cursor.column, s.margins.right, count, background());
      }
      break;
    case 'S':
      grid().scrollUp(s.margins, count, background());
      break;
    case 'T':
      // With more numbers it is about the mouse.
      if (sequence.count <= 1) grid().scrollDown(s.margins, count, background());
      break;
    case 'X':
      cursor.wraps = false;
      eraseCells(cursor.row, cursor.column,
                 cursor.column + kj::min(count, s.columns - cursor.column), false);
      break;
    case 'Z':
      backTab(count);
      spend(s.columns);
      break;
    case 'b':
      // Not beyond the line.
      for (auto left = kj::min(count, s.columns); left > 0 && lastCharacter != 0; --left) {
        put(lastCharacter);
      }
      spend(s.columns);
      break;
    case 'd':
      moveTo(int64_t{count} - 1 + (cursor.origin ? s.margins.top : 0), cursor.column);
      break;
    case 'g':
      clearTabs(sequence.number(0));
      break;
    case 'h':
      setModes(sequence, true);
      break;
    case 'l':
      setModes(sequence, false);
      break;
    case 'm':
      applyRendition(cursor.pen, sequence);
      break;
    case 'r':
      setMargins(sequence);
      break;
    case 's':
      if (s.isOn(69)) {
        setSideMargins(sequence);
      } else {
        saveCursor();
      }
      break;
    case 'u':
      restoreCursor();
      break;
  }
}

void TerminalScreen::onMarkedSequence(const ControlSequence& sequence) {
  constexpr auto key = [](kj::byte mark, kj::byte intermediate, kj::byte final) {
    return mark << 16 | intermediate << 8 | final;
  };
  auto& keyboard = s.shown().keyboard;
  constexpr kj::uint OTHER_KEYS = 4;  // of xterm's keys that can be modified
  switch (key(sequence.mark, sequence.intermediate, sequence.final)) {
    case key('?', 0, 'h'):
    case key('?', 0, 'l'):
      for (size_t i = 0; i < sequence.count; ++i) {
        setPrivateMode(sequence.numbers[i], sequence.final == 'h');
      }
      break;
    case key('?', 0, 'J'):
      eraseDisplay(sequence.number(0), true);
      break;
    case key('?', 0, 'K'):
      eraseLine(sequence.number(0), true);
      break;
    case key('?', 0, 'W'):
      if (sequence.number(0) == 5) {
        for (auto i : kj::indices(s.tabs)) s.tabs[i] = s.isDefaultTab(static_cast<kj::uint>(i));
      }
      break;
    case key('>', 0, 'm'):
      if (sequence.count == 0 || sequence.number(0) == OTHER_KEYS) {
        s.modifyOtherKeys = kj::min(sequence.number(1), 3U);
      }
      break;
    case key('>', 0, 'n'):
      if (sequence.number(0) == OTHER_KEYS) s.modifyOtherKeys = 0;
      break;
    case key('>', 0, 'f'):
      if (sequence.number(0) == OTHER_KEYS) s.formatOtherKeys = kj::min(sequence.number(1), 1U);
      break;
    case key('>', 0, 'u'):
      keyboard.push(static_cast<kj::byte>(sequence.number(0) & 0x1f));
      break;
    case key('<', 0, 'u'):
      keyboard.pop(sequence.atLeastOne(0));
      break;
    case key('=', 0, 'u'):
      keyboard.set(static_cast<kj::byte>(sequence.number(0) & 0x1f), sequence.number(1));
      break;
    case key(0, ' ', 'q'):
      if (sequence.number(0) <= 6) s.cursorShape = sequence.number(0);
      break;
    case key(0, '"', 'q'):
      s.cursor.pen.attributes &= static_cast<uint16_t>(~attribute::PROTECTED);
      if (sequence.number(0) == 1) s.cursor.pen.attributes |= attribute::PROTECTED;
      break;
    case key(0, '!', 'p'):
      resetSoftly();
      break;
    case key(0, '\'', '}'):
      scrollColumns(sequence.atLeastOne(0), true);
      break;
    case key(0, '\'', '~'):
      scrollColumns(sequence.atLeastOne(0), false);
      break;
  }
}

void TerminalScreen::setModes(const ControlSequence& sequence, bool on) {
  for (size_t i = 0; i < sequence.count; ++i) {
    if (sequence.numbers[i] == 4) s.insert = on;
    if (sequence.numbers[i] == 20) s.newLine = on;
  }
}

void TerminalScreen::setPrivateMode(kj::uint number, bool on) {
  switch (number) {
    case 6:
      s.cursor.origin = on;
      goTo(1, 1);
      break;
    case 7:
      s.setMode(number, on);
      if (!on) s.cursor.wraps = false;
      break;
    case 66:
      s.keypad = on;
      break;
    case 69:
      s.setMode(number, on);
      if (!on) {
        s.margins.left = 0;
        s.margins.right = s.columns;
      }
      break;
    case 47:
    case 1047:
    case 1049:
      if (on) {
        showOther(number);
      } else if (s.otherMode != 0) {
        auto keptCursor = s.cursor;
        showMain();
        s.cursor = keptCursor;
        if (number == 1049) restoreCursor();
      }
      break;
    case 1048:
      if (on) {
        saveCursor();
      } else {
        restoreCursor();
      }
      break;
    default:
      s.setMode(number, on);
  }
}

void TerminalScreen::setMargins(const ControlSequence& sequence) {
  const auto top = sequence.atLeastOne(0) - 1;
  auto bottom = sequence.number(1);
  if (bottom == 0 || bottom > s.rows) bottom = s.rows;
  // A region has two lines.
  if (top + 1 >= bottom) return;
  s.margins.top = top;
  s.margins.bottom = bottom;
  goTo(1, 1);
}

void TerminalScreen::setSideMargins(const ControlSequence& sequence) {
  const auto left = sequence.atLeastOne(0) - 1;
  auto right = sequence.number(1);
  if (right == 0 || right > s.columns) right = s.columns;
  if (left + 1 >= right) return;
  s.margins.left = left;
  s.margins.right = right;
  goTo(1, 1);
}

void TerminalScreen::clearTabs(kj::uint which) {
  if (which == 0) s.tabs[s.cursor.column] = false;
  if (which == 3) {
    for (auto& tab : s.tabs) tab = false;
  }
}

void TerminalScreen::eraseCells(kj::uint row, kj::uint begin, kj::uint end, bool selective) {
  if (selective) {
    grid().eraseUnprotected(row, begin, end, background());
  } else {
    grid().erase(row, begin, end, background());
  }
}

void TerminalScreen::eraseDisplay(kj::uint which, bool selective) {
  auto& cursor = s.cursor;
  spend(s.rows);
  auto eraseRows = [&](kj::uint top, kj::uint bottom) {
    for (auto row = top; row < bottom; ++row) eraseCells(row, 0, s.columns, selective);
  };
  switch (which) {
    case 0:
      cursor.wraps = false;
      eraseLine(0, selective);
      eraseRows(cursor.row + 1, s.rows);
      break;
    case 1:
      cursor.wraps = false;
      eraseRows(0, cursor.row);
      eraseLine(1, selective);
      break;
    case 2:
      cursor.wraps = false;
      eraseRows(0, s.rows);
      break;
  }
}

void TerminalScreen::eraseLine(kj::uint which, bool selective) {
  auto& cursor = s.cursor;
  cursor.wraps = false;
  switch (which) {
    case 0:
      eraseCells(cursor.row, cursor.column, s.columns, selective);
      break;
    case 1:
      eraseCells(cursor.row, 0, cursor.column + 1, selective);
      break;
    case 2:
      eraseCells(cursor.row, 0, s.columns, selective);
      break;
  }
}

void TerminalScreen::insertLines(kj::uint count) {
  if (!isWithinMargins()) return;
  auto area = s.margins;
  area.top = s.cursor.row;
  grid().scrollDown(area, count, background());
  s.cursor.column = s.margins.left;
  s.cursor.wraps = false;
}

void TerminalScreen::deleteLines(kj::uint count) {
  if (!isWithinMargins()) return;
  auto area = s.margins;
  area.top = s.cursor.row;
  grid().scrollUp(area, count, background());
  s.cursor.column = s.margins.left;
  s.cursor.wraps = false;
}

void TerminalScreen::scrollColumns(kj::uint count, bool insert) {
  if (!isWithinMargins()) return;
  spend(s.rows);
  for (auto row = s.margins.top; row < s.margins.bottom; ++row) {
    if (insert) {
      grid().insertCells(row, s.cursor.column, s.margins.right, count, background());
    } else {
      grid().deleteCells(row, s.cursor.column, s.margins.right, count, background());
    }
  }
}

}  // namespace bothy
