#include "actions/action-writer.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "actions/action-file.h"
#include "actions/action-line.h"

namespace bothy {
namespace {

constexpr int LINES_FD = 0;
// As much as a pipe holds, pipe(7).
constexpr size_t READ_BYTES = 64 * 1024;

}  // namespace

bool isActionWriter(int argc, const char* const* argv) {
  return argc == 3 && argv[1] == ACTION_WRITER;
}

int actionWriterMain(const char* const* argv) {
  umask(022);
  signal(SIGTERM, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  const rlimit noCore = {0, 0};
  setrlimit(RLIMIT_CORE, &noCore);

  ActionFile file(kj::str(argv[2]), MAX_ACTION_BYTES);
  uint64_t lost = 0;
  kj::byte buffer[READ_BYTES];
  for (;;) {
    const auto count = read(LINES_FD, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return count == 0 ? 0 : 1;
    // Each line was written in one piece, so a read ends with a line.
    auto lines = kj::arrayPtr(buffer, count);
    if (lost > 0) {
      auto note = linesLost(kj::systemCoarseCalendarClock().now(), lost);
      if (file.append(note.asBytes())) lost = 0;
    }
    if (lost > 0 || !file.append(lines)) lost += std::count(lines.begin(), lines.end(), '\n');
  }
}

}  // namespace bothy
