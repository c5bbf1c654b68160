#include "boot/console.h"

#include <errno.h>
#include <unistd.h>

#include "wire/escape.h"

namespace bothy {
namespace {

// A line longer than this is cut: a console is slow, and who writes to it waits.
constexpr size_t MAX_LINE_BYTES = 1000;

}  // namespace

void Console::say(kj::StringPtr line) {
  auto bytes = line.asArray();
  auto text =
      kj::str("bothy: ", escapeGuestText(bytes.slice(0, kj::min(bytes.size(), MAX_LINE_BYTES))),
              bytes.size() > MAX_LINE_BYTES ? "...\n" : "\n");
  auto rest = text.asArray();
  while (rest.size() > 0) {
    auto n = ::write(fd, rest.begin(), rest.size());
    if (n < 0) {
      if (errno == EINTR) {
        continue;
      }
      return;
    }
    rest = rest.slice(n, rest.size());
  }
}

void ConsoleLog::logMessage(kj::LogSeverity severity, const char* file, int line, int contextDepth,
                            kj::String&& text) {
  console.say(kj::str(severity, ' ', file, ':', line, ' ', text));
}

}  // namespace bothy
