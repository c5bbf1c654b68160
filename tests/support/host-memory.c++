#include "support/host-memory.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <stdlib.h>
#include <unistd.h>

namespace bothy {

uint64_t residentBytes(pid_t pid) {
  int fd;
  KJ_SYSCALL(fd = open(kj::str("/proc/", pid, "/statm").cStr(), O_RDONLY | O_CLOEXEC), pid);
  kj::AutoCloseFd owned(fd);
  // statm(5): total and resident, in pages.
  auto text = kj::FdInputStream(fd).readAllText();
  char* end;
  strtoull(text.cStr(), &end, 10);
  return strtoull(end, nullptr, 10) * sysconf(_SC_PAGESIZE);
}

}  // namespace bothy
