#pragma once

#include <kj/string.h>

namespace bothy {

// The text of a small file of the image's, up to MAX_TEXT_FILE_BYTES; empty if it cannot be read.
kj::String readTextFile(kj::StringPtr path);

constexpr size_t MAX_TEXT_FILE_BYTES = 1024 * 1024;

}  // namespace bothy
