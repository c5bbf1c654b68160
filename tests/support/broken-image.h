#pragma once

#include <kj/string.h>

#include "support/supervised-host.h"

namespace bothy {

// An image "broken" beside "base", with its files, all but those that a test replaces.
class BrokenImage final {
public:
  explicit BrokenImage(SupervisedHost& host);

  void setKernel(kj::StringPtr program) { replace("vmlinux", program); }
  void setKernelText(kj::StringPtr text);
  // `init`: a program; empty for an archive without one.
  void setInit(kj::StringPtr init);

private:
  kj::String directory;

  kj::String path(kj::StringPtr name) { return kj::str(directory, "/broken/", name); }
  void replace(kj::StringPtr name, kj::StringPtr with);
  // Writes the manifest as far as bothyd reads it.
  void describe();
};

}  // namespace bothy
