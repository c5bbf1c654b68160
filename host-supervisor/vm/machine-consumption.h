#pragma once

#include <kj/vector.h>

#include "vm/machine-processes.h"
#include "vm/vm-driver.h"

namespace bothy {

// What one QEMU takes of the processors, until it has ended and its driver is told.
class MachineConsumption final {
public:
  // See VmConsumption::qemu.
  static uint64_t nameOf(const ProcessIdentity& qemu);

  MachineConsumption(MachineProcesses& processes, const ProcessIdentity& qemu);

  // To be called before its end is brought about: who does not wait for it as for a child cannot ask afterwards.
  void note(kj::StringPtr machine);
  // After its end.
  void tell(kj::StringPtr machine, kj::Vector<VmConsumption>& ended);

private:
  const uint64_t name;
  kj::Own<MachineProcesses::ProcessorTime> time;
  kj::Duration taken = 0 * kj::SECONDS;
};

}  // namespace bothy
