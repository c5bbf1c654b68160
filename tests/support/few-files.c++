#include "support/few-files.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <kj/filesystem.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {

FewFiles::FewFiles(rlim_t left) {
  // It looks at memory through a pipe.
  if (__has_feature(undefined_behavior_sanitizer)) SKIP("the sanitizer itself needs descriptors");
  KJ_SYSCALL(getrlimit(RLIMIT_NOFILE, &before));
  // The lowest number that is free, which is the next file's: the limit is one of numbers.
  int next;
  KJ_SYSCALL(next = open("/dev/null", O_RDONLY | O_CLOEXEC));
  KJ_SYSCALL(close(next));
  auto few = before;
  // A lower one than the next may still become free, as other threads close: where no file may be had, not those either.
  few.rlim_cur = left == 0 ? STDERR_FILENO + 1 : static_cast<rlim_t>(next) + left;
  KJ_SYSCALL(setrlimit(RLIMIT_NOFILE, &few));
}

FewFiles::~FewFiles() noexcept(false) {
  KJ_SYSCALL(setrlimit(RLIMIT_NOFILE, &before));
}

size_t countDescriptors() {
  auto root = kj::newDiskFilesystem();
  return root->getRoot().openSubdir(kj::Path({"proc", "self", "fd"}))->listNames().size();
}

}  // namespace bothy
