#pragma once

#include <kj/async-unix.h>

namespace bothy {

// fsync(2) without holding up the event loop (Linux AIO; plain fsync where the kernel has none).
// Resolves to 0 or errno; EAGAIN if programs have used up what the kernel has for AIO (fs.aio-max-nr).  Dropping the promise waits for nothing: the flush goes on without it.
kj::Promise<int> flushToDisk(kj::UnixEventPort& eventPort, int fd);

}  // namespace bothy
