#pragma once

#include <kj/array.h>

namespace bothy {

// The vmlinux in a bzImage (Documentation/arch/x86/boot.rst), as distributions ship kernels: machines boot a
// vmlinux by PVH, and unpack nothing at each boot.  Nothing if `file` is no bzImage.  Throws FAILED if what is
// in it cannot be taken out.
kj::Maybe<kj::Array<const kj::byte>> vmlinuxIn(kj::ArrayPtr<const kj::byte> file);

// Whether a vmlinux has the entry that a machine starts it at (CONFIG_PVH).
bool isBootable(kj::ArrayPtr<const kj::byte> vmlinux);

}  // namespace bothy
