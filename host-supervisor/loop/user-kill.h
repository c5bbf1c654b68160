#pragma once

#include <stdint.h>

namespace bothy {

// Sends SIGKILL to all processes of `user` at once: the kernel lets none be forked meanwhile, so that also those end that fork faster
// than somebody could look for them.  They may be ending still when this returns.
//
// A process sends it that has `user` as its effective user id and `sender` as the others, so that none of `user` can end or trace
// that process.  What runs as `sender` is killed too.  Neither may be root.  Needs CAP_SETUID.
void killAllOf(uint32_t user, uint32_t sender);

}  // namespace bothy
