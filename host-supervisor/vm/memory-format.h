#pragma once

#include <kj/string.h>

namespace bothy {

// See HostAbilities::memoryFormat.  `emulator`: what QEMU says of its version.
kj::String memoryFormat(kj::StringPtr emulator, bool isKvm);

}  // namespace bothy
