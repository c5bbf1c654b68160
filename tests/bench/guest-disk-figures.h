#pragma once

#include "bench/figures.h"

namespace bothy {

// What encryption costs a user: a write that must be durable, in a guest, on a workspace's volume, against the same in
// the same guest on a disk without encryption.
void measureGuestDisks(kj::Vector<Row>& rows);

}  // namespace bothy
