#include "loop/open-files.h"

#include <sys/resource.h>

#include <kj/common.h>
#include <kj/debug.h>

namespace bothy {
namespace {

// More than any host's machines need.  Some programs count up to their limit when they start, and a few hosts allow 2^30.
constexpr rlim_t MOST_FILES = 1 << 20;

}  // namespace

void raiseOpenFileLimit() {
  struct rlimit files;
  KJ_SYSCALL(getrlimit(RLIMIT_NOFILE, &files));
  auto wanted = kj::min(files.rlim_max, MOST_FILES);
  if (files.rlim_cur >= wanted) return;
  files.rlim_cur = wanted;
  KJ_SYSCALL(setrlimit(RLIMIT_NOFILE, &files));
}

}  // namespace bothy
