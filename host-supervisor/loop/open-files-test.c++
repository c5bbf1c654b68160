#include "loop/open-files.h"

#include <sys/resource.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("P41 as many files may be open as the process may have") {
  struct rlimit files;
  KJ_SYSCALL(getrlimit(RLIMIT_NOFILE, &files));
  files.rlim_max = kj::min(files.rlim_max, rlim_t{4096});
  files.rlim_cur = 64;
  KJ_SYSCALL(setrlimit(RLIMIT_NOFILE, &files));
  raiseOpenFileLimit();
  struct rlimit raised;
  KJ_SYSCALL(getrlimit(RLIMIT_NOFILE, &raised));
  CHECK(raised.rlim_cur == files.rlim_max);
  CHECK(raised.rlim_max == files.rlim_max);
  raiseOpenFileLimit();
}

}  // namespace
}  // namespace bothy
