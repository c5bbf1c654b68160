#pragma once

#include <kj/filesystem.h>
#include <kj/string.h>

namespace bothy {

// What `uname -r` will say under this vmlinux, from the banner in it; nothing if it is no Linux kernel.
kj::Maybe<kj::String> kernelVersionOf(kj::ArrayPtr<const kj::byte> vmlinux);

}  // namespace bothy
