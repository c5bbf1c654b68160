#pragma once

#include "machine/machine-slot.h"
#include "workspace/start-progress.h"
#include "workspace/workspace-journal.h"

namespace bothy {

// Notified when a workspace does not exist any more.
class DeletionListener {
public:
  virtual void deleted() = 0;
};

// What the operations of one workspace work on.
struct Site {
  const World& world;
  WorkspaceJournal& journal;
  MachineLeases& leases;
  MachineSlot& machine;
  StartProgress& progress;
  DeletionListener& listener;

  // The end of the console of its last boot, for people: what the machine that is there has said, however late that comes to its file;
  // without one what the file has, see WorkspaceFiles, and nothing if that cannot be read.
  kj::String consoleEnd() const;
};

}  // namespace bothy
