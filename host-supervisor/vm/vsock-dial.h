#pragma once

#include <kj/async-io.h>

namespace bothy {

// Two ways to a guest's vsock port.  Both fail with DISCONNECTED while nothing listens there.

// Through the kernel (/dev/vhost-vsock).
kj::Promise<kj::Own<kj::AsyncIoStream>> dialKernelVsock(kj::LowLevelAsyncIoProvider& io,
                                                        uint32_t cid, uint32_t port);

// Through the socket of a vhost-user device, which must belong to a process of `user`: the directory
// is that user's, who might put another machine's socket in its place.  That process is not trusted: a descriptor that it sends ends the
// stream, and neither that one's close nor the stream's holds up whoever reads or drops it.
kj::Promise<kj::Own<kj::AsyncIoStream>> dialVsockDevice(kj::LowLevelAsyncIoProvider& io,
                                                        kj::String path, uint32_t user,
                                                        uint32_t port);

}  // namespace bothy
