#pragma once

#include <kj/string.h>

namespace bothy {

// Small files of the machine that boot writes: /proc, /sys, /etc.  For reading see process/text-file.h.

// Writes into a file that exists, in one write(2), as /proc and /sys want it.
void writeSetting(kj::StringPtr path, kj::StringPtr text);

// Puts a file in the place of what is there, whole or not at all.  Never waits for anybody.
void replaceText(kj::StringPtr path, kj::StringPtr text, unsigned mode);

// Makes `path` a directory.  What else is there, a symlink among it, is renamed to `path`.bothy-N.
void ensureDirectory(kj::StringPtr path, unsigned mode = 0755);

}  // namespace bothy
