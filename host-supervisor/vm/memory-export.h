#pragma once

#include <kj/async-unix.h>
#include <kj/string.h>

#include "loop/subreaper.h"
#include "secret/secret.h"

namespace bothy {

// How long it may take until the file is there.
constexpr kj::Duration MEMORY_EXPORT_LIMIT = 20 * kj::SECONDS;
// And until what was written to it is with the host's file system.
constexpr kj::Duration MEMORY_FLUSH_LIMIT = 60 * kj::SECONDS;

struct MemoryExportSpec {
  kj::StringPtr program;
  // Its content is encrypted as LUKS, and has the size that it is going to have.
  kj::String file;
  // A path in a directory that only root can write: a file is made there, on which the other is mounted, and beside it for a moment one
  // with `passphrase`.  Both are private, and nothing is left of them.
  kj::String place;
  Secret passphrase;
};

// The plain content of an encrypted file, as a file, which no other process of this host sees: QEMU's own storage daemon deciphers it, in
// a mount namespace of its own.  It ends with this object, and with this process.
class MemoryExport {
public:
  // For this process alone.
  virtual kj::StringPtr path() = 0;
  // Ends it; fails if what was written may not be with the host's file system.
  virtual kj::Promise<void> close() = 0;
};

// Returns when the file is there.
kj::Promise<kj::Own<MemoryExport>> exportMemory(kj::UnixEventPort& port, Subreaper& reaper,
                                                MemoryExportSpec spec);

}  // namespace bothy
