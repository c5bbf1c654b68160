#pragma once

#include "store/records.h"

namespace bothy {

// Whether a workspace may go the way of this event: what was accepted ends as it was asked for, over every kill.  `before`: the operation that
// was under way before it.
bool isWay(const EventRecord& event, kj::Maybe<const OperationRow&> before);

}  // namespace bothy
