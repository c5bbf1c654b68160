#pragma once

#include <kj/string.h>

namespace bothy {

// The name of a request of this client's that may be sent again: random, since whoever knows it can have what it began.
kj::String newRequestId();

}  // namespace bothy
