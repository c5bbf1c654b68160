#include "terminal/terminal-shares.h"

#include <unistd.h>

namespace bothy {

size_t screenBytesOfThisMachine() {
  constexpr size_t PART = 32, LEAST = 8 << 20, MOST = 64 << 20;
  const auto pages = static_cast<size_t>(kj::max(sysconf(_SC_PHYS_PAGES), 0L));
  const auto pageBytes = static_cast<size_t>(kj::max(sysconf(_SC_PAGESIZE), 0L));
  return kj::max(LEAST, kj::min(MOST, pages * pageBytes / PART));
}

}  // namespace bothy
