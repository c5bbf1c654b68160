#pragma once

#include <kj/time.h>
#include <kj/timer.h>

#include "image/image-catalog.h"
#include "keys/key-keeper.h"
#include "machine/machine-world.h"
#include "store/store.h"
#include "tier/tier-table.h"
#include "volume/volume-store.h"
#include "workspace/event-log.h"
#include "workspace/workspace-files.h"

namespace bothy {

// How long each step may take before it has failed.
struct Deadlines: public MachineDeadlines {
  // Each step with a disk or a key.
  kj::Duration disk = 60 * kj::SECONDS;
  // From a machine that runs to its agent's answer; half of it to the first byte on its console.
  kj::Duration agentReadyKvm = 30 * kj::SECONDS;
  kj::Duration agentReadyTcg = 120 * kj::SECONDS;
  // Beyond the grace that processes got: for sync, unmount and power-off.
  kj::Duration powerOffMargin = 15 * kj::SECONDS;
  // A creation or a start has failed when it has not ended so long after its beginning, over restarts of bothyd.
  kj::Duration start = 1 * kj::HOURS;
  // What must succeed in the end (a stop, a delete) goes on for ever; a call that waits for it ends with the reason when it has
  // waited so long, and of a stop the grace.
  kj::Duration call = 90 * kj::SECONDS;
  // A guest that ran for so long may reboot at once; one that did not waits, longer each time.
  kj::Duration steady = 60 * kj::SECONDS;
};

// The world, as the logic of workspaces sees it: all that it reads and does passes here.
struct World {
  Store& store;
  EventLog& events;
  KeyKeeper& keys;
  VolumeStore& volumes;
  VmDriver& driver;
  ImageCatalog& images;
  WorkspaceFiles& files;
  Randomness& randomness;
  kj::Timer& timer;
  const kj::Clock& clock;
  Deadlines deadlines;
  kj::Maybe<const TierTable&> tiers = nullptr;
  // Of this host, for people.
  kj::StringPtr hostName = nullptr;

  MachineWorld machines() const { return {driver, randomness, timer, deadlines}; }
  RetryPauses pauses() const { return machines().pauses(); }
};

}  // namespace bothy
