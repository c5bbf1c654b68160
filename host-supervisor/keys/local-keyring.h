#pragma once

#include <kj/memory.h>

#include "keys/key-files.h"
#include "keys/key-keeper.h"
#include "keys/protector.h"

namespace bothy {

// A keyring in a directory of the host, made if there is none; README.md tells its files and what it
// promises.  Throws, and changes nothing, if what is there cannot be opened.  Calls do their work before they
// return.
kj::Own<KeyKeeper> openLocalKeyring(kj::StringPtr directory, ProtectorSetting protector);

// The same on other files.
kj::Own<KeyKeeper> openLocalKeyring(kj::Own<KeyFiles> files, Protector protector);

constexpr kj::StringPtr MASTER_FILE = "master"_kj;
constexpr kj::StringPtr KEYRING_FILE = "keyring"_kj;

}  // namespace bothy
