#pragma once

#include <kj/async-io.h>

#include "loop/descriptor-filter.h"

namespace bothy {

// Connects to the Unix socket `path` of a process of `user`, a machine's, which is not trusted: a descriptor that it sends ends the
// stream, and neither that one's close nor the stream's holds up whoever reads or drops it.  DISCONNECTED while nothing listens there.
kj::Own<DescriptorFilter> connectToMachine(kj::LowLevelAsyncIoProvider& io, kj::StringPtr path,
                                           uint32_t user);

}  // namespace bothy
