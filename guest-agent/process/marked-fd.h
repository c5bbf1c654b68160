#pragma once

#include <kj/io.h>

#include "process/loop-touches.h"

namespace bothy {

// A descriptor of the loop's whose other end, or copies, a program may have: to close it can take as long as that holds what is behind it,
// so it is closed in a Touch, however its owner comes to drop it.
class MarkedFd final {
public:
  MarkedFd() = default;
  MarkedFd(kj::AutoCloseFd fd, ProgramMark mark) : fd(kj::mv(fd)), mark(mark) {}
  MarkedFd(MarkedFd&& other) = default;
  MarkedFd& operator=(MarkedFd&& other) {
    close();
    fd = kj::mv(other.fd);
    mark = other.mark;
    return *this;
  }
  ~MarkedFd() noexcept(false) { close(); }
  KJ_DISALLOW_COPY(MarkedFd);

  int get() const { return fd.get(); }
  // For who closes it in a Touch himself.
  kj::AutoCloseFd take() { return kj::mv(fd); }
  void close() {
    if (fd == nullptr) return;
    Touch touch(mark);
    fd = nullptr;
  }

private:
  kj::AutoCloseFd fd;
  ProgramMark mark;
};

}  // namespace bothy
