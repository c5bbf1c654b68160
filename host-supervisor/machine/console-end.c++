#include "machine/console-end.h"

#include <kj/vector.h>

#include "wire/escape.h"

namespace bothy {

kj::String consoleEnd(kj::ArrayPtr<const kj::byte> log) {
  if (log.size() > CONSOLE_END_BYTES) log = log.slice(log.size() - CONSOLE_END_BYTES, log.size());
  // A serial line ends its lines with both characters.
  kj::Vector<kj::byte> lines(log.size());
  for (size_t i = 0; i < log.size(); i++) {
    if (log[i] != '\r' || i + 1 == log.size() || log[i + 1] != '\n') lines.add(log[i]);
  }
  auto text = escapeGuestText(lines.asPtr().asConst(), LineFeeds::KEPT);
  if (text.size() <= CONSOLE_END_BYTES) return text;
  // Escaping made it longer: begin later, at the start of a character.
  size_t begin = text.size() - CONSOLE_END_BYTES;
  while (begin < text.size() && (static_cast<kj::byte>(text[begin]) & 0xc0) == 0x80) begin++;
  return kj::heapString(text.slice(begin));
}

}  // namespace bothy
