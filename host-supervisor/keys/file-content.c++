#include "keys/file-content.h"

#include <unistd.h>

#include <kj/debug.h>

namespace bothy {

void refuseFile(kj::StringPtr path, kj::StringPtr why) {
  kj::throwFatalException(KJ_EXCEPTION(FAILED, kj::str(path, " is refused: ", why)));
}

void writeAll(int fd, kj::ArrayPtr<const kj::byte> content, kj::StringPtr path) {
  while (content.size() > 0) {
    ssize_t count;
    KJ_SYSCALL(count = write(fd, content.begin(), content.size()), path);
    content = content.slice(count, content.size());
  }
}

}  // namespace bothy
