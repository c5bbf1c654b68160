#pragma once

#include "machine/machine-slot.h"
#include "workspace/start-progress.h"
#include "workspace/workspace-journal.h"

namespace bothy {

// Whose operations they are.
class SiteListener {
public:
  // It does not exist any more.
  virtual void deleted() = 0;
  // It rests, and its machine, which may run, could not be taken over by a bothyd that was started anew.
  virtual void machineUnreached(kj::StringPtr why) = 0;
};

// What the operations of one workspace work on.
struct Site {
  const World& world;
  WorkspaceJournal& journal;
  MachineLeases& leases;
  MachineSlot& machine;
  StartProgress& progress;
  SiteListener& listener;

  // The end of the console of the machine that is there, for people: what it has said, however late that comes to its file.
  kj::String consoleEnd() const;
  // Without one that of its last boot, as the file has it, see WorkspaceFiles, and nothing if that cannot be read.
  kj::Promise<kj::String> lastConsoleEnd() const;
};

// The end of the console of a boot that is over, for people: empty if it cannot be read.
kj::Promise<kj::String> consoleOfFile(const World& world, kj::StringPtr id);

}  // namespace bothy
