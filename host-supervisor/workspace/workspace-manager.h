#pragma once

#include "workspace/creation-claims.h"
#include "workspace/strangers.h"
#include "workspace/workspace-registry.h"
#include "workspace/workspace-spec.h"

namespace bothy {

// All workspaces of this host.
class WorkspaceManager final: private VmDriver::Events, private kj::TaskSet::ErrorHandler {
public:
  struct Limits {
    SpecDefaults defaults;
    TierTable tiers;
    MachineLeases::Range leases;
    uint32_t hostMemoryMib = MAX_MEMORY_MIB;  // RAM of the host
    CapacityPolicy capacity;
    uint32_t sessionsWithoutTier = 16;  // of a workspace, at a time
  };

  WorkspaceManager(World world, Limits limits);
  ~WorkspaceManager() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(WorkspaceManager);

  // Once, before anything else: takes over what an earlier supervisor left.  When it returns the list is
  // complete and tells the truth; what takes longer (the rest of a start or a stop) goes on.
  kj::Promise<void> recover();
  // Once, after that: the sessions that the store had.
  kj::Array<SessionRow> takeSessions() { return kj::mv(sessions); }
  // The same: what was known of how workspaces are used.
  kj::Array<ActivityRow> takeActivities() { return kj::mv(activities); }
  kj::Array<WakeLockRow> takeWakeLocks() { return kj::mv(wakeLocks); }
  // Is called with the id of each workspace that exists no more.
  void onGone(kj::Function<void(kj::StringPtr)> listener) { registry.onGone(kj::mv(listener)); }

  struct CreateRequest {
    GivenSpec spec;
    // Empty: none.  At most `maxRequestIdBytes`.
    kj::String requestId;
    bool start = true;
    // Whose it is to be, and what he calls it.  Empty: nobody's.  Valid.
    kj::String user;
    kj::String userName;
    // Who asks, as EventRecord has him.
    kj::String actor;
  };
  struct Created {
    kj::Own<Workspace> workspace;
  };
  // One of that name, or that this user calls so.
  struct Exists {
    kj::Own<Workspace> workspace;
  };
  struct Invalid {
    kj::String why;
  };
  struct NoSuchImage {
    kj::String name;
  };
  struct RequestConflict {};
  struct NoSpace {
    kj::String why;
  };
  // A stop came before it ran.
  struct Stopped {
    kj::Own<Workspace> workspace;
  };
  using CreateOutcome = kj::OneOf<Created, Exists, Invalid, NoSuchImage, RequestConflict,
                                  StartReport::Failure, NoSpace, Stopped, Underway, Shortage>;
  kj::Promise<CreateOutcome> create(CreateRequest request, kj::Maybe<kj::Own<Progress>> progress);

  struct Absent {};
  using TierOutcome =
      kj::OneOf<TierPlan, Workspace::TierChanged, Absent, Workspace::InvalidTier, Busy, Shortage>;
  // See Workspace::changeTier().
  kj::Promise<TierOutcome> changeTier(kj::StringPtr name, kj::StringPtr tier, TierWish wish,
                                      kj::StringPtr actor = nullptr);
  // workspace-setup.c++
  struct SetupStepView {
    enum class State { PENDING, RUNNING, DONE, FAILED };
    kj::String name;
    State state;
    // RUNNING: what it has said last.  FAILED: why.  One line, escaped.
    kj::String detail;
  };
  struct NotRunning {
    WorkspaceState state;
  };
  struct SetupUnknown {
    kj::String why;
  };
  using SetupOutcome =
      kj::OneOf<kj::Array<SetupStepView>, Absent, NotRunning, SetupFollower::AgentTooOld,
                SetupFollower::NothingFailed, SetupUnknown>;
  enum class SetupWish { LOOK, RETRY };
  kj::Promise<SetupOutcome> setup(kj::StringPtr name, SetupWish wish,
                                  kj::StringPtr actor = nullptr);

  // That the disk of a workspace may have by its tier.
  kj::Maybe<uint32_t> mostDiskMib(const WorkspaceRow& row) const;

  kj::Maybe<kj::Own<Workspace>> find(kj::StringPtr name) { return registry.find(name); }
  kj::Maybe<kj::Own<Workspace>> byId(kj::StringPtr id) { return registry.byId(id); }
  kj::Maybe<kj::Own<Workspace>> ofUser(kj::StringPtr user, kj::StringPtr name) {
    return registry.ofUser(user, name);
  }
  // What is known of it at this moment.
  kj::Maybe<WorkspaceView> view(kj::StringPtr name) { return registry.view(name); }
  kj::Maybe<WorkspaceView> viewById(kj::StringPtr id) { return registry.viewById(id); }
  ListPage list(const ListQuery& query = {}) { return registry.list(query); }
  UserPage listOfUsers(const UserQuery& query) { return registry.listOfUsers(query); }
  const HostCapacity& capacity() const { return shares; }
  // Of the host's disk, now.
  // Fails with OVERLOADED where the disk does not say it within ROOM_LIMIT.
  kj::Promise<uint64_t> freeDiskMib();
  const TierTable& tiers() const { return limits.tiers; }
  size_t size() const { return registry.size(); }
  // How many take more memory than their rows: those that run, that something happens to, or that somebody holds.
  size_t objects() const { return registry.objects(); }
  // Nothing is under way, but within the objects().
  bool isIdle() {
    return tasks.isEmpty() && claims.isIdle() && registry.isIdle() && strangers.isIdle();
  }

  // Those that are not free, nor rest.
  size_t leasesInUse() const { return leases.inUse(); }

private:
  World world;
  Limits limits;
  MachineLeases leases;
  HostCapacity shares;
  WorkspaceRegistry registry;
  CreationClaims claims;
  Strangers strangers;
  kj::Array<SessionRow> sessions;
  kj::Array<ActivityRow> activities;
  kj::Array<WakeLockRow> wakeLocks;
  kj::TaskSet tasks;

  void vsockLost(kj::StringPtr vmName) override;
  void vsockRestored(kj::StringPtr vmName) override;
  void vsockNotRestored(kj::StringPtr vmName) override;
  void diskFull(kj::StringPtr vmName) override;
  void diskFreed(kj::StringPtr vmName) override;
  void taskFailed(kj::Exception&& exception) override;

  void note(kj::StringPtr vmName, Cause cause, kj::StringPtr detail);
  struct Begun {
    kj::Own<Workspace> workspace;
    kj::Promise<Workspace::StartOutcome> outcome;
  };
  // Its rows and its request into the store, and its creation.
  kj::Promise<Begun> begin(WorkspaceJournal::Rows rows, kj::Maybe<RequestRecord> request,
                           kj::Array<const kj::byte> configuration,
                           kj::Own<CreationClaims::Claim> claim,
                           kj::Own<HostCapacity::Share> admitted,
                           kj::Maybe<kj::Own<Progress>> progress);
  kj::Promise<CreateOutcome> answerAgain(RequestRecord earlier, kj::StringPtr asked,
                                         kj::Own<Workspace> workspace,
                                         kj::Maybe<kj::Own<Progress>> progress);
  static CreateOutcome outcomeOf(kj::Own<Workspace> workspace, Workspace::StartOutcome outcome);
};

}  // namespace bothy
