#pragma once

#include <kj/array.h>
#include <kj/string.h>

namespace bothy {

// A driver that the kernel has not built in.
struct KernelModule {
  kj::String name;  // of its file
  kj::Array<const kj::byte> content;
};

// The archive that the kernel unpacks before it starts the agent: the agent as `/init`, the directories
// that it mounts on, and `/dev/console`, without which the agent would start with no open file.
//
// Uncompressed `newc` (Documentation/driver-api/early-userspace/buffer-format.rst).  Everything in it
// belongs to root and has no time: equal parts give equal bytes.
//
// `modules` are put into /modules, and /modules/list names them in their order, which is the one that the agent
// loads them in (guest-agent/boot/kernel-modules.h); without any there is no such folder.
kj::Array<kj::byte> makeInitramfs(kj::ArrayPtr<const kj::byte> agent,
                                  kj::ArrayPtr<const KernelModule> modules = nullptr);

}  // namespace bothy
