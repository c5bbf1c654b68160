#pragma once

#include <kj/string.h>

namespace bothy {

// Runs a program of the build (build-kernel, build-rootfs), waits for it, and returns the last line it
// printed: the directory it made.  Its progress and its errors go to our standard error as they come.
// Throws FAILED if it cannot be started, does not succeed, or prints nothing.
kj::String runScript(kj::ArrayPtr<const kj::StringPtr> command);

}  // namespace bothy
