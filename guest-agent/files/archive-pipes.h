#pragma once

#include <kj/async-io.h>
#include <kj/async-unix.h>
#include <kj/io.h>

#include "files/file-counts.h"

namespace bothy {

// What the agent and the child that packs or unpacks have between them.
struct ArchivePipe {
  kj::AutoCloseFd ours;  // non-blocking
  kj::AutoCloseFd theirs;
};

enum class ArchiveDirection { FROM_CHILD, TO_CHILD };

// For the archive.
ArchivePipe openArchivePipe(ArchiveDirection direction);
// Both ways, for the rest.
ArchivePipe openControlPair();

// Writes to a child, counts what it has taken, and closes the pipe when the child is gone, whoever holds this: a client may, for as long as it likes.
kj::Own<kj::AsyncOutputStream> newPipeInput(kj::UnixEventPort& eventPort, kj::AutoCloseFd pipe,
                                            kj::Promise<void> childGone,
                                            kj::Own<FileCounters> counters);

// What comes until the end, an error or `limit`.
kj::Promise<kj::Array<kj::byte>> readAll(kj::UnixEventPort& eventPort, int fd, size_t limit);

}  // namespace bothy
