#pragma once

#include <kj/memory.h>
#include <kj/timer.h>

#include "keys/key-files.h"
#include "keys/key-keeper.h"
#include "keys/key-tree.h"
#include "keys/protector.h"

namespace bothy {

// How long a call may take, with its wait for those before it; then it is OVERLOADED.
constexpr kj::Duration KEYRING_CALL_LIMIT = 45 * kj::SECONDS;
// Changes that are made as one, so that the thread comes to the calls behind them.
constexpr size_t MAX_CHANGES_AT_ONCE = 256;

// A keyring in a directory of the host, made if there is none; README.md tells its files and what it
// promises.  Opening does its work before it returns: it throws, and changes nothing, if what is there cannot
// be opened.  The calls of the keeper do theirs on a thread: changes in their order, those that wait as one, so that a
// read sees at least the changes before it.
kj::Own<KeyKeeper> openLocalKeyring(kj::Timer& timer, kj::StringPtr directory,
                                    ProtectorSetting protector);

// The same on other files.
kj::Own<KeyKeeper> openLocalKeyring(kj::Timer& timer, kj::Own<KeyFiles> files, Protector protector);

// The tree alone, whose root lies in the same files.
kj::Own<KeyTree> openKeyTree(kj::Own<KeyFiles> files, Protector protector);

}  // namespace bothy
