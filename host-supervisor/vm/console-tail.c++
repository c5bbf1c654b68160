#include "vm/console-tail.h"

#include <string.h>

namespace bothy {
namespace {

// Not moved for each word that comes.
constexpr size_t MOST_BYTES = 2 * CONSOLE_END_BYTES;

}  // namespace

void ConsoleTail::add(kj::ArrayPtr<const kj::byte> said) {
  if (said.size() > CONSOLE_END_BYTES) {
    said = said.slice(said.size() - CONSOLE_END_BYTES, said.size());
  }
  if (bytes.size() + said.size() > MOST_BYTES) {
    const auto kept = CONSOLE_END_BYTES - said.size();
    memmove(bytes.begin(), bytes.end() - kept, kept);
    bytes.truncate(kept);
  }
  bytes.addAll(said);
}

void ConsoleTail::precede(kj::ArrayPtr<const kj::byte> earlier) {
  const auto later = end();
  bytes.clear();
  add(earlier);
  add(later);
}

kj::Array<kj::byte> ConsoleTail::end() const {
  const auto count = kj::min(bytes.size(), CONSOLE_END_BYTES);
  return kj::heapArray(bytes.asPtr().slice(bytes.size() - count, bytes.size()));
}

}  // namespace bothy
