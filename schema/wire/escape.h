#pragma once

#include <kj/string.h>

namespace bothy {

enum class LineFeeds {
  ESCAPED,  // the result is one line
  KEPT,     // for text of several lines, like a console's end
};

// Text from a guest, made fit for a terminal or a log: what could move a cursor, start an escape
// sequence, forge a line or reverse the reading order becomes visible text.
//
//   C0 controls, DEL          \n \r \t, else \x1b
//   bytes that are no UTF-8   \xff
//   C1 controls, bidirectional controls, line and paragraph separators, byte order marks, tags,
//   noncharacters             \u{9b}
//
// Everything else passes as it is, the backslash too: so text that was escaped before (an error that
// bothyd already escaped) is not escaped again, and the result cannot be turned back.
kj::String escapeGuestText(kj::ArrayPtr<const kj::byte> text,
                           LineFeeds lineFeeds = LineFeeds::ESCAPED);
kj::String escapeGuestText(kj::ArrayPtr<const char> text, LineFeeds lineFeeds = LineFeeds::ESCAPED);

}  // namespace bothy
