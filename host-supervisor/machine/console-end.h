#pragma once

#include <kj/string.h>

namespace bothy {

constexpr size_t CONSOLE_END_BYTES = 4096;

// The end of a console log as people may see it: escaped, line feeds kept, at most CONSOLE_END_BYTES.
kj::String consoleEnd(kj::ArrayPtr<const kj::byte> log);

}  // namespace bothy
