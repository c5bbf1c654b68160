#pragma once

#include <kj/string.h>
#include <kj/timer.h>

namespace bothy {

// What a machine's log may have when it is looked at; above it, all of it goes.
constexpr uint64_t QEMU_LOG_LIMIT_BYTES = 1024 * 1024;
constexpr kj::Duration QEMU_LOG_LOOK_PAUSE = 1 * kj::SECONDS;

// Empties those files in `directory` that are above QEMU_LOG_LIMIT_BYTES; how many.  They are written by who opened them with O_APPEND, and
// goes on at the new end.
size_t cutQemuLogs(kj::StringPtr directory);

// The same each QEMU_LOG_LOOK_PAUSE, until dropped.  A libvirt in this process gives QEMU a file for its standard error, on a tmpfs, and a
// guest can make QEMU complain as often as it likes: nobody else bounds it.
kj::Promise<void> keepQemuLogsShort(kj::Timer& timer, kj::String directory);

}  // namespace bothy
