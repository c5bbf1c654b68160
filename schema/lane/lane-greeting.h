#pragma once

#include <capnp/message.h>
#include <kj/async-io.h>

#include "schema/lane.capnp.h"

namespace bothy {

// The messages that come before RPC on a lane (lane.capnp), read one by one from the bare stream: no byte of what
// follows is taken.

kj::Promise<void> writeHello(kj::AsyncOutputStream& stream, kj::ArrayPtr<const kj::byte> secret);

// Writes a Hello, a Grant or a Welcome.
kj::Promise<void> writeGreeting(kj::AsyncOutputStream& stream,
                                kj::Own<capnp::MallocMessageBuilder> message);

// Reads one.  Fails with DISCONNECTED at the stream's end, and with FAILED at what is no message of at most
// MAX_GREETING_WORDS.  Whoever drops the promise midway has to drop the stream.
kj::Promise<kj::Own<capnp::MessageReader>> readGreeting(kj::AsyncInputStream& stream);

}  // namespace bothy
