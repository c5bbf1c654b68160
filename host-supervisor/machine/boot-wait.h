#pragma once

#include <kj/function.h>

#include "machine/machine-slot.h"
#include "machine/start-fault.h"

namespace bothy {

// The wait for the agent of a machine that boots.
class BootWait final {
public:
  // `limit`: from a machine that runs to its agent's answer; half of it to the first byte on its console, of which `consoleEnd` has
  // the end.  A machine that was taken over may have said it while nobody listened, and has all of `limit`.  `fault`: at each moment
  // what it is if the wait fails, or ends, then.  `workspace`: for the log.
  BootWait(MachineWorld world, MachineSlot& slot, kj::StringPtr workspace, kj::Duration limit,
           StartFault& fault, kj::Function<kj::String()> consoleEnd)
      : world(world),
        slot(slot),
        workspace(workspace),
        limit(limit),
        fault(fault),
        consoleEnd(kj::mv(consoleEnd)) {}
  KJ_DISALLOW_COPY_AND_MOVE(BootWait);

  // Returns the version that the agent of the slot's machine says it has, empty if it does not say.  A machine that could not be
  // taken over yet is taken over first.
  kj::Promise<kj::String> agent();

private:
  const MachineWorld world;
  MachineSlot& slot;
  const kj::StringPtr workspace;
  const kj::Duration limit;
  StartFault& fault;
  kj::Function<kj::String()> consoleEnd;

  kj::Promise<void> adoption();
  kj::Promise<void> answer(Machine& machine);
  kj::Promise<kj::String> version(Machine& machine);
};

}  // namespace bothy
