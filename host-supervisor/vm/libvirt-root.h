#pragma once

#include "vm/libvirt-driver.h"
#include "vm/libvirt-session.h"

namespace bothy {

// Makes the directory of the libvirt in this process what that needs before it is opened: its settings, who may pass to what, the
// monitors of machines that run, and what it has found of QEMU.
LibvirtSession::Place prepareLibvirtRoot(const LibvirtDriverSettings& settings);

}  // namespace bothy
