#pragma once

#include <kj/memory.h>

#include "store/store.h"

namespace bothy {

// A store in one SQLite file (0600; its directory is the caller's).  Calls are short and synchronous.
// Keeps the last `keepEvents` events.
kj::Own<Store> newSqliteStore(kj::StringPtr path, uint64_t keepEvents);

}  // namespace bothy
