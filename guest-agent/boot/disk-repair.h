#pragma once

#include <kj/string.h>
#include <kj/time.h>

namespace bothy {

// All checks and repairs of one boot take no longer: the host waits 30 seconds for the agent where it
// is fast, and the rest of the boot wants some of them.
constexpr kj::Duration REPAIR_LIMIT = 20 * kj::SECONDS;

// What e2fsck made of a file system.  Both texts are sentences without an end, for people.
struct Repair {
  bool sound;         // it can be mounted without fear
  kj::String report;  // "repaired by e2fsck -p"
};

// Runs the e2fsck of the file system at `toolsRoot` on `device`, which is not mounted: with -p, which
// repairs what cannot go wrong, and where that is not enough with -y, because nobody is there to answer
// its questions and a disk that is left as it is becomes read-only at the next touch.  What -y cannot
// place it puts into lost+found.  Throws if e2fsck cannot be run or its time is over.
Repair repairDisk(kj::StringPtr device, kj::StringPtr toolsRoot);

}  // namespace bothy
