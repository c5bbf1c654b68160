#include "loop/core-dumps.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <kj/common.h>
#include <kj/debug.h>
#include <kj/io.h>

namespace bothy {

void forbidCoreDumps() {
  struct rlimit none = {0, 0};
  KJ_SYSCALL(setrlimit(RLIMIT_CORE, &none));
  // Which kinds of memory a core has: none.  Children inherit it, over an exec too.
  int raw = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
  if (raw < 0) return;
  kj::AutoCloseFd filter(raw);
  KJ_SYSCALL(write(filter, "0", 1));
}

}  // namespace bothy
