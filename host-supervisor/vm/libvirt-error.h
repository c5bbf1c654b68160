#pragma once

#include <kj/string.h>

namespace bothy {

// Throws FAILED with what libvirt says of this thread's last call; `deed` is what it could not do.
[[noreturn]] void failOfLibvirt(kj::StringPtr deed);

// Whether the last call failed because the domain does not exist, or is on its way out.
bool libvirtSaysGone();

}  // namespace bothy
