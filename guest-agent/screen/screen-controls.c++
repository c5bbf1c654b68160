// TerminalScreen's control characters, escapes and strings.

#include "screen/guest-words.h"
#include "screen/terminal-screen.h"

namespace bothy {
namespace {

// Of the cursor, past columns without a tab stop: together they cost what a changed cell does.
constexpr kj::uint STEPS_FOR_A_CELL = 8;

}  // namespace

void TerminalScreen::onControl(kj::byte control) {
  auto& cursor = s.cursor;
  switch (control) {
    case 0x07:
      news.bell = true;
      break;
    case 0x08:
      cursor.wraps = false;
      if (cursor.column > 0 && cursor.column != s.margins.left) --cursor.column;
      break;
    case 0x09:
      tab(1);
      spend(s.columns / STEPS_FOR_A_CELL);
      break;
    case 0x0a:
    case 0x0b:
    case 0x0c:
      lineFeed();
      cursor.wraps = false;
      if (s.newLine) cursor.column = 0;
      spend(0);
      break;
    case 0x0d:
      cursor.wraps = false;
      cursor.column = cursor.column >= s.margins.left ? s.margins.left : 0;
      break;
    case 0x0e:
      cursor.charsets.used = 1;
      break;
    case 0x0f:
      cursor.charsets.used = 0;
      break;
  }
}

void TerminalScreen::onEscape(kj::byte intermediate, kj::byte final) {
  KJ_DEFER(spend(0));
  auto& cursor = s.cursor;
  if (intermediate >= '(' && intermediate <= '+') {
    cursor.charsets.designated[intermediate - '('] = static_cast<char>(final);
    return;
  }
  if (intermediate == '#' && final == '8') {
    kj::byte letter = 'E';
    for (kj::uint row = 0; row < s.rows && grid().isKept(); ++row) {
      for (kj::uint column = 0; column < s.columns; ++column) {
        grid().putRun(row, column, kj::arrayPtr(&letter, 1), Pen());
      }
    }
    // A cell by itself costs more than one that is erased with others.
    spend(size_t{s.rows} * s.columns * 4);
    s.margins = {0, s.rows, 0, s.columns};
    moveTo(0, 0);
    return;
  }
  if (intermediate != 0) return;
  switch (final) {
    case '7':
      saveCursor();
      break;
    case '8':
      restoreCursor();
      break;
    case 'D':
      lineFeed();
      cursor.wraps = false;
      break;
    case 'E':
      lineFeed();
      cursor.wraps = false;
      cursor.column = cursor.column >= s.margins.left ? s.margins.left : 0;
      break;
    case 'H':
      s.tabs[cursor.column] = true;
      break;
    case 'M':
      reverseLineFeed();
      break;
    case 'N':
      singleShift = 2;
      break;
    case 'O':
      singleShift = 3;
      break;
    case 'c':
      reset();
      break;
    case '=':
      s.keypad = true;
      break;
    case '>':
      s.keypad = false;
      break;
    case 'n':
      cursor.charsets.used = 2;
      break;
    case 'o':
      cursor.charsets.used = 3;
      break;
  }
}

void TerminalScreen::onOperatingSystemCommand(kj::ArrayPtr<const char> text) {
  size_t digits = 0;
  kj::uint number = 0;
  while (digits < text.size() && digits < 4 && text[digits] >= '0' && text[digits] <= '9') {
    number = number * 10 + static_cast<kj::uint>(text[digits++] - '0');
  }
  if (digits == 0) return;
  const bool hasText = digits < text.size() && text[digits] == ';';
  auto rest = hasText ? text.slice(digits + 1, text.size()) : nullptr;
  constexpr size_t MAX_COLOR_BYTES = 64;
  switch (number) {
    case 0:
    case 2:
      setTitle(rest);
      break;
    case 7:
      setDirectory(rest);
      break;
    case 10:
    case 11:
    case 12:
      // One color.  What begins with "?" is a question.
      if (rest.size() == 0 || rest.size() > MAX_COLOR_BYTES) return;
      for (char c : rest) {
        bool isOfColor = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                         (c >= 'A' && c <= 'Z') || c == '#' || c == ':' || c == '/';
        if (!isOfColor) return;
      }
      s.ownColors[number - 10] = kj::str(rest);
      break;
    case 110:
    case 111:
    case 112:
      s.ownColors[number - 110] = kj::str();
      break;
  }
}

void TerminalScreen::setTitle(kj::ArrayPtr<const char> text) {
  auto title = cleanWords(text, MAX_TITLE_BYTES);
  if (title == s.title) return;
  s.title = kj::mv(title);
  news.title = true;
}

void TerminalScreen::setDirectory(kj::ArrayPtr<const char> address) {
  auto directory = directoryOf(address, MAX_DIRECTORY_BYTES);
  if (directory == s.directory) return;
  s.directory = kj::mv(directory);
  news.directory = true;
}

}  // namespace bothy
