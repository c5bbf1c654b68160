#pragma once

#include "session/session-registry.h"
#include "simulation/faulty-backend.h"
#include "simulation/simulated-clock.h"
#include "simulation/simulated-driver.h"
#include "simulation/simulated-files.h"
#include "simulation/simulated-keys.h"
#include "simulation/simulated-volumes.h"
#include "store/group-commit.h"
#include "user/user-workspaces.h"
#include "workspace/workspace-manager.h"

namespace bothy {

// One life of bothyd over a simulated host.  Destroying it at any moment is kill -9: every promise is gone, and
// of what was under way on the host there is what fate leaves.
class Incarnation final: private kj::TaskSet::ErrorHandler {
public:
  Incarnation(SimulatedHost& host, HostAbilities::Accelerator accelerator,
              HostAbilities::Vsock vsock);
  ~Incarnation() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(Incarnation);

  Lifetime& lifetime() { return life; }
  WorkspaceManager& manager() { return *workspaces; }
  // When it serves.
  SessionRegistry& sessions() { return *sessionRegistry; }
  UserWorkspaces& users() { return *userWorkspaces; }
  // All of them, page after page; until something happens.
  kj::Array<WorkspaceView> list();
  EventLog& eventLog() { return *events; }
  // Of its driver, when it serves.
  CountedVmDriver::Counts counts() { return driver.counts(); }

  // The list is complete; clients are served.
  bool serves() const { return recovered && !life.isOver(); }
  // Resolves when it serves, or has given up.
  kj::Promise<void> onServing() { return serving.addBranch(); }
  // It has read its database, or is about to, and does not serve yet.
  bool isRecovering() const { return workspaces.get() != nullptr && !recovered; }
  // It could not read its database, or another has that now, and it has ended.
  bool hasGivenUp() const { return gaveUp; }

  // What a client does in this life: it ends with it.
  void add(kj::Promise<void> promise) { tasks.add(kj::mv(promise)); }

private:
  SimulatedHost& host;
  Lifetime life;
  kj::Own<Store> store;
  SimulatedKeys keys;
  SimulatedVolumes volumes;
  SimulatedDriver driver;
  SimulatedFiles files;
  SimulatedImages images;
  SimulatedClock clock;
  kj::Own<EventLog> events;
  kj::Own<WorkspaceManager> workspaces;
  kj::Own<SessionRegistry> sessionRegistry;
  kj::Own<UserWorkspaces> userWorkspaces;
  bool recovered = false;
  bool gaveUp = false;
  kj::Promise<void> fenced = nullptr;
  kj::ForkedPromise<void> serving;
  kj::TaskSet tasks;

  World world();
  void boot();
  kj::Promise<void> recover();
  kj::Promise<void> recoverWorkspaces();
  void giveUp(const kj::Exception& why);
  void examineAdoptions();
  void taskFailed(kj::Exception&& exception) override;
};

// No bothyd takes longer than this until it serves, whatever hangs.
constexpr kj::Duration RECOVERY_LIMIT = 10 * kj::MINUTES;

}  // namespace bothy
