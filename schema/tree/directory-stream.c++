#include "tree/directory-stream.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

namespace bothy {

DirectoryStream DirectoryStream::open(int parentFd, kj::StringPtr name) {
  int fd = openat(parentFd, name.cStr(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return DirectoryStream(nullptr);
  auto stream = fdopendir(fd);
  if (stream == nullptr) close(fd);
  return DirectoryStream(stream);
}

const char* DirectoryStream::next() {
  for (;;) {
    errno = 0;
    auto item = readdir(stream);
    if (item == nullptr) return nullptr;
    kj::StringPtr name = item->d_name;
    if (name != "." && name != "..") return item->d_name;
  }
}

}  // namespace bothy
