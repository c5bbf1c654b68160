#pragma once

#include "vm/libvirt-driver.h"

namespace bothy {

// What the host can do, found by trying.
kj::Promise<HostAbilities> probeHost(kj::AsyncIoContext& io, Subreaper& reaper,
                                     const LibvirtDriverSettings& settings);

}  // namespace bothy
