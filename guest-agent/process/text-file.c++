#include "process/text-file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <kj/io.h>
#include <kj/vector.h>

namespace bothy {

kj::String readTextFile(kj::StringPtr path) {
  // O_NONBLOCK: root of the workspace may have put a FIFO there.
  int fd = open(path.cStr(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return kj::heapString(size_t(0));
  kj::AutoCloseFd owned(fd);
  kj::Vector<char> text;
  char block[4096];
  while (text.size() < MAX_TEXT_FILE_BYTES) {
    ssize_t n = read(fd, block, sizeof(block));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.addAll(block, block + n);
  }
  text.add('\0');
  return kj::String(text.releaseAsArray());
}

}  // namespace bothy
