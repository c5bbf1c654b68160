#pragma once

#include <kj/timer.h>

#include "store/store-backend.h"
#include "store/store-limits.h"

namespace bothy {

// A database in one file (0600; its directory is the caller's).
kj::Own<StoreBackend> openSqliteBackend(kj::StringPtr path, EventLimits limits);

// A store in it.
kj::Own<Store> openSqliteStore(kj::Timer& timer, kj::StringPtr path, EventLimits limits);

}  // namespace bothy
