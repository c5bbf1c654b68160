#pragma once

#include <kj/async.h>
#include <kj/timer.h>

#include "files/workspace-root.h"

namespace bothy {

// Removes what `name` in `parent` is with all below it, a little at a time: it is in no hurry and stands
// in nobody's way.  The result is the first problem, with which it stops.
kj::Promise<FileResult<Done>> removeInBackground(kj::Timer& timer, kj::AutoCloseFd parent,
                                                 kj::String name);

// Entries that are removed at a time, and the pause between.
constexpr uint REMOVED_AT_A_TIME = 32;
constexpr kj::Duration REMOVAL_PAUSE = 20 * kj::MILLISECONDS;

}  // namespace bothy
