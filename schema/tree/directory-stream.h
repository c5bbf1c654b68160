#pragma once

#include <dirent.h>

#include <kj/common.h>
#include <kj/string.h>

#include <utility>

namespace bothy {

// Owns a directory stream.
class DirectoryStream final {
public:
  explicit DirectoryStream(DIR* stream) : stream(stream) {}
  DirectoryStream(DirectoryStream&& other) : stream(other.stream) { other.stream = nullptr; }
  ~DirectoryStream() {
    if (stream != nullptr) closedir(stream);
  }
  DirectoryStream& operator=(DirectoryStream&& other) {
    std::swap(stream, other.stream);
    return *this;
  }
  KJ_DISALLOW_COPY(DirectoryStream);

  // Of the directory `name` in `parentFd`, which is no symlink; null, and errno, if it cannot be opened.
  static DirectoryStream open(int parentFd, kj::StringPtr name);

  bool isOpen() const { return stream != nullptr; }
  int fd() const { return dirfd(stream); }
  // The next name but "." and ".."; null at the end, where errno is 0, or the error.
  const char* next();

private:
  DIR* stream;
};

}  // namespace bothy
