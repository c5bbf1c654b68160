#pragma once

#include <kj/async-unix.h>
#include <kj/io.h>

#include "schema/stream.capnp.h"

namespace bothy {

// The write end of a program's standard input as a ByteSink.  A `write` returns once the pipe has taken
// all of it: nothing is queued here.  Dropping it closes the pipe.
//
// `pipe`: non-blocking.
rpc::ByteSink::Client newInputSink(kj::UnixEventPort& eventPort, kj::AutoCloseFd pipe);

}  // namespace bothy
