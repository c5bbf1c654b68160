#pragma once

#include <kj/string.h>

namespace bothy {

// Removes what a crash left at a stagingName() in `directory`: a symlink, or a file that nobody has locked.  Only
// of the effective user's own.  False if it stays.  Others than the agent make no such files, and the agent leaves
// none without a lock for longer than a turn of the event loop.
bool removeLeftOver(int directory, kj::StringPtr name);

}  // namespace bothy
