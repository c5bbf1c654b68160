#pragma once

#include <kj/string.h>

namespace bothy {

// Removes all that is in the directory `path`, however deep it is: who made it may be hostile.  It takes no path and no recursion, holds
// two descriptors, and follows no symbolic link.  False: there is no such directory.
// Another remover of the same tree does not disturb it; nobody else changes anything below it meanwhile.
bool emptyDirectory(kj::StringPtr path);
// And the directory itself.
bool removeTree(kj::StringPtr path);

}  // namespace bothy
