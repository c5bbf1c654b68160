#pragma once

#include <kj/filesystem.h>
#include <kj/string.h>
#include <kj/vector.h>

#include "initramfs/initramfs.h"

namespace bothy {

// What of `folder`, a /lib/modules/VERSION, a machine needs to boot and what people want first, unpacked, each
// behind what it needs.  Throws FAILED if the kernel `version` has a driver that is needed neither built in nor
// there, or if the modules belong to another kernel.
kj::Vector<KernelModule> chooseModules(const kj::ReadableDirectory& folder, kj::StringPtr version);

}  // namespace bothy
