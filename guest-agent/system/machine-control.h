#pragma once

#include <kj/time.h>

#include "schema/system.capnp.h"

namespace bothy {

// What the System facet needs of the machine it stands for: main has one for PID 1, tests have fakes.
class MachineControl {
public:
  // How the machine came up.
  virtual void report(rpc::BootReport::Builder report) = 0;
  // Whether "/" lies on the data disk, whose space is then told.
  virtual bool hasDataDisk() = 0;
  // Take the order and return.  Throw where there is no machine to end.
  virtual void powerOff(kj::Duration grace) = 0;
  virtual void reboot(kj::Duration grace) = 0;
};

}  // namespace bothy
