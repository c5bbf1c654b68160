#pragma once

#include <kj/string.h>

namespace bothy {

// Small text files of the machine: /proc, /sys, /etc.

// Contents of the file, at most MAX_MACHINE_FILE_BYTES of it; null if there is no such file.
kj::Maybe<kj::String> readText(kj::StringPtr path);

// Writes into a file that exists, in one write(2), as /proc and /sys want it.
void writeSetting(kj::StringPtr path, kj::StringPtr text);

// Puts a file in the place of what is there, whole or not at all.
void replaceText(kj::StringPtr path, kj::StringPtr text, unsigned mode);

// Cuts off white space at both ends.
kj::String trim(kj::StringPtr text);

constexpr size_t MAX_MACHINE_FILE_BYTES = 256 * 1024;

}  // namespace bothy
