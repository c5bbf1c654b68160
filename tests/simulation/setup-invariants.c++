#include <kj/debug.h>

#include "simulation/invariants.h"

namespace bothy {

// All that the guest has done is known, and nothing keeps it from doing the rest.
void Invariants::checkSetup(const WorkspaceView& workspace, SimulatedMachine& machine) {
  if (workspace.setupSteps == 0) return;
  auto label = host.label(workspace.id);
  if (!machine.setup().isConfigured()) {
    host.judge.accuse("workspace ", label, " runs, and its agent was given no configuration");
    return;
  }
  auto& disk = KJ_ASSERT_NONNULL(host.setups.find(workspace.id));
  if (disk->done < workspace.setupSteps && !disk->isFailed) {
    host.judge.accuse("the set-up of ", label, " does not go on, and nothing hinders it");
  }
  if (workspace.setupDone != disk->done || (workspace.setupFailure.size() > 0) != disk->isFailed) {
    host.judge.accuse("of the steps of ", label, " ", disk->done, " are done, ",
                      disk->isFailed ? "and the next has failed" : "and none has failed",
                      "; the database says ", workspace.setupDone, ", '", workspace.setupFailure,
                      "'");
  }
}

}  // namespace bothy
