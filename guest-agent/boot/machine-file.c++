#include "boot/machine-file.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bothy {

kj::Maybe<kj::String> readText(kj::StringPtr path) {
  int fd;
  KJ_SYSCALL_HANDLE_ERRORS(fd = ::open(path.cStr(), O_RDONLY | O_CLOEXEC | O_NOCTTY)) {
    case ENOENT:
      return nullptr;
    default:
      KJ_FAIL_SYSCALL("open()", error, path);
  }
  kj::AutoCloseFd file(fd);
  return kj::FdInputStream(file.get()).readAllText(MAX_MACHINE_FILE_BYTES);
}

void writeSetting(kj::StringPtr path, kj::StringPtr text) {
  int fd;
  KJ_SYSCALL(fd = ::open(path.cStr(), O_WRONLY | O_CLOEXEC | O_NOCTTY), path);
  kj::AutoCloseFd file(fd);
  ssize_t n;
  KJ_SYSCALL(n = ::write(file.get(), text.begin(), text.size()), path, text);
  KJ_REQUIRE(n == text.size(), "the setting was taken in part", path, text);
}

void replaceText(kj::StringPtr path, kj::StringPtr text, unsigned mode) {
  auto temporary = kj::str(path, ".new");
  int fd;
  KJ_SYSCALL(
      fd = ::open(temporary.cStr(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600),
      temporary);
  {
    kj::AutoCloseFd file(fd);
    kj::FdOutputStream(file.get()).write(text.begin(), text.size());
    KJ_SYSCALL(::fchmod(file.get(), mode), temporary);
  }
  KJ_SYSCALL(::rename(temporary.cStr(), path.cStr()), path);
}

kj::String trim(kj::StringPtr text) {
  auto isSpace = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  size_t begin = 0;
  size_t end = text.size();
  while (begin < end && isSpace(text[begin])) {
    ++begin;
  }
  while (end > begin && isSpace(text[end - 1])) {
    --end;
  }
  return kj::heapString(text.slice(begin, end));
}

}  // namespace bothy
