#pragma once

#include "vm/libvirt-machine.h"
#include "vm/vm-driver.h"

namespace bothy {

// A machine of the driver's, for who has asked for it.
kj::Own<RunningVm> newMachineHandle(kj::Own<LibvirtMachine> machine);

}  // namespace bothy
