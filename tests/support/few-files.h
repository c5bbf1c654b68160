#pragma once

#include <kj/common.h>
#include <sys/resource.h>

namespace bothy {

// This process may open so many files more, or none, for as long as it lives.  Its test is skipped where a sanitizer of the build needs
// files itself.
class FewFiles final {
public:
  explicit FewFiles(rlim_t left);
  ~FewFiles() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(FewFiles);

private:
  rlimit before;
};

// Of this process.
size_t countDescriptors();

}  // namespace bothy
