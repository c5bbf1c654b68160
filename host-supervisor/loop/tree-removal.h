#pragma once

#include <kj/string.h>

namespace bothy {

// Removes all that is in the directory `path`, however deep it is: who made it may be hostile, and still run.  It takes no path and no
// recursion, holds two descriptors, and follows no symbolic link.  Each directory that it looks into is the caller's then, mode 0700, so
// that nobody else renames in it; `path` itself is in a directory of the caller's.  Another remover of the same tree does not disturb it.
// False: there is no such directory.
bool emptyDirectory(kj::StringPtr path);
// And the directory itself.  What is no directory is removed, too.
bool removeTree(kj::StringPtr path);

}  // namespace bothy
