#pragma once

#include <kj/async-unix.h>

namespace bothy {

// fsync(2) without holding up the event loop (Linux AIO; plain fsync where the kernel has none).
// Resolves to 0 or errno.  `fd` is borrowed until then; dropping the promise waits for the disk.
kj::Promise<int> flushToDisk(kj::UnixEventPort& eventPort, int fd);

}  // namespace bothy
