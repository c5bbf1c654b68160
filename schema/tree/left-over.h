#pragma once

#include <kj/string.h>

namespace bothy {

// Removes what a crash left at a stagingName() in `directory`: a symlink, or a file that nobody has locked.  Only
// of the effective user's own.  False, and errno EEXIST, if it stays.
//
// So whoever makes a file there locks it with lockStaged(); a symlink has its place at once, or its maker finds it
// gone and makes it again.
bool removeLeftOver(int directory, kj::StringPtr name);

// Locks the new file at a stagingName().  False if another has taken it for a left-over meanwhile: it is lost.
bool lockStaged(int directory, kj::StringPtr name, int file);

}  // namespace bothy
