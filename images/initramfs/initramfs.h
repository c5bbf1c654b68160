#pragma once

#include <kj/array.h>

namespace bothy {

// The archive that the kernel unpacks before it starts the agent: the agent as `/init`, the directories
// that it mounts on, and `/dev/console`, without which the agent would start with no open file.
//
// Uncompressed `newc` (Documentation/driver-api/early-userspace/buffer-format.rst).  Everything in it
// belongs to root and has no time: equal agents give equal bytes.
kj::Array<kj::byte> makeInitramfs(kj::ArrayPtr<const kj::byte> agent);

}  // namespace bothy
