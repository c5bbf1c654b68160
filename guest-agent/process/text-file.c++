#include "process/text-file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/io.h>
#include <kj/vector.h>

namespace bothy {

kj::Maybe<kj::String> findTextFile(kj::StringPtr path, size_t limit) {
  struct stat status;
  // Opening some devices does something: they are not opened at all.
  if (stat(path.cStr(), &status) < 0 || !S_ISREG(status.st_mode)) return nullptr;
  // O_NONBLOCK: for a FIFO that has taken its place since.
  int fd = open(path.cStr(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return nullptr;
  kj::AutoCloseFd owned(fd);
  kj::Vector<char> text;
  char block[4096];
  while (text.size() < limit) {
    ssize_t n = read(fd, block, kj::min(sizeof(block), limit - text.size()));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return nullptr;
    if (n == 0) break;
    text.addAll(block, block + n);
  }
  text.add('\0');
  return kj::String(text.releaseAsArray());
}

kj::String readTextFile(kj::StringPtr path) {
  KJ_IF_MAYBE (text, findTextFile(path)) {
    return kj::mv(*text);
  }
  return kj::heapString(size_t(0));
}

kj::ArrayPtr<const char> trimmed(kj::ArrayPtr<const char> text) {
  auto isSpace = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  while (text.size() > 0 && isSpace(text.front())) text = text.slice(1, text.size());
  while (text.size() > 0 && isSpace(text.back())) text = text.slice(0, text.size() - 1);
  return text;
}

kj::Maybe<kj::ArrayPtr<const char>> Lines::next() {
  if (rest.size() == 0) return nullptr;
  size_t end = 0;
  while (end < rest.size() && rest[end] != '\n') end++;
  auto line = rest.slice(0, end);
  rest = rest.slice(kj::min(end + 1, rest.size()), rest.size());
  return line;
}

}  // namespace bothy
