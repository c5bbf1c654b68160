#pragma once

#include <kj/async-io.h>
#include <kj/async-unix.h>

#include "schema/supervisor.capnp.h"

namespace bothy {

// The stream that comes with a `Lane` capability, for a `Lane` object (lane.h).  It holds the capability, and so the lane's life.
// Fails with DISCONNECTED where no descriptor came: ask for another lane.  `eventPort` outlives it.
kj::Promise<kj::Own<kj::AsyncIoStream>> streamOf(rpc::Lane::Client lane,
                                                 kj::UnixEventPort& eventPort);

}  // namespace bothy
