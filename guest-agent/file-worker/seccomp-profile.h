#pragma once

namespace bothy {

// The system calls that a file worker makes; every other fails with EPERM from here on, in what it starts, too.  Nothing where a
// sanitizer makes calls of its own, or where the kernel has no filters.
void allowCallsOfFileWorker();

// Of those, what one that packs or unpacks does not make fails, too.
void refuseCallsOfArchiveWorker();

}  // namespace bothy
