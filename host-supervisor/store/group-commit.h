#pragma once

#include <kj/timer.h>

#include "store/store-backend.h"

namespace bothy {

// Changes that one transaction has at most.
constexpr size_t GROUP_LIMIT_CHANGES = 256;
// Changes that may wait; one more is refused with OVERLOADED.
constexpr size_t WAITING_LIMIT_CHANGES = 100000;

// A store over a database.  All changes that wait when a transaction has ended are the next one.
// If it is not known whether one is in, that is read first, for as long as it takes.
kj::Own<Store> newGroupCommitStore(kj::Timer& timer, kj::Own<AsyncBackend> backend);

}  // namespace bothy
