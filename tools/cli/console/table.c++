#include "console/table.h"

#include <wchar.h>

#include <kj/debug.h>
#include <kj/encoding.h>

#include "wire/escape.h"

namespace bothy {

size_t displayWidth(kj::StringPtr text) {
  size_t width = 0;
  for (char32_t c : kj::encodeUtf32(text)) {
    // Depends on LC_CTYPE; -1 where the locale has no such character.
    int columns = wcwidth(static_cast<wchar_t>(c));
    width += columns < 0 ? 1 : static_cast<size_t>(columns);
  }
  return width;
}

Table::Table(kj::ArrayPtr<const kj::StringPtr> headings) {
  rows.add(KJ_MAP(heading, headings) { return kj::str(heading); });
}

void Table::add(kj::ArrayPtr<const kj::String> cells) {
  KJ_REQUIRE(cells.size() == rows[0].size(), "a cell for each heading");
  rows.add(KJ_MAP(cell, cells) { return escapeGuestText(cell.asArray()); });
}

kj::String Table::render() const {
  constexpr size_t COLUMN_GAP = 2;
  auto widths = kj::heapArray<size_t>(rows[0].size());
  for (auto& width : widths) width = 0;
  for (auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = kj::max(widths[i], displayWidth(row[i]));
  }

  kj::Vector<char> text;
  for (auto& row : rows) {
    size_t blanks = 0;  // put only before something: no line ends in blanks
    for (size_t i = 0; i < row.size(); ++i) {
      if (row[i].size() > 0) {
        for (; blanks > 0; --blanks) text.add(' ');
        text.addAll(row[i]);
      }
      blanks += widths[i] - displayWidth(row[i]) + COLUMN_GAP;
    }
    text.add('\n');
  }
  text.add('\0');
  return kj::String(text.releaseAsArray());
}

}  // namespace bothy
