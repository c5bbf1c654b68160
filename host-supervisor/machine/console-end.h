#pragma once

#include <kj/string.h>

#include "vm/vm-driver.h"

namespace bothy {

// The end of what a console said as people may see it: escaped, line feeds kept, at most CONSOLE_END_BYTES.
kj::String consoleEnd(kj::ArrayPtr<const kj::byte> log);

}  // namespace bothy
