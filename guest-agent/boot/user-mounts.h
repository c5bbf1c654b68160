#pragma once

#include <kj/string.h>
#include <kj/time.h>
#include <kj/vector.h>

namespace bothy {

// What people have put on top of the machine: mounts, loop devices, swap.  Before the end they are taken
// down, so that the file systems in them are whole and the data disk is free.

// Targets of the mounts in `mountinfo` (proc(5)) that are not the machine's own, the last one first.
kj::Vector<kj::String> mountsOfUsers(kj::StringPtr mountinfo);

// The names of the first column of /proc/swaps.
kj::Vector<kj::String> swapAreas(kj::StringPtr swaps);

// Takes them down, those that lie in others first, and detaches what stays busy.  No process but the
// agent lives any more.  A file system whose server is gone may hold who unmounts it for ever: that is
// done on a thread, and what is not down after `limit` is left.  Returns whether all of it is down.
bool takeDownUserMounts(kj::Duration limit);

}  // namespace bothy
