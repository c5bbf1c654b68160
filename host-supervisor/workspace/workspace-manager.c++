#include "workspace/workspace-manager.h"

#include <kj/debug.h>

#include "schema/limits.capnp.h"
#include "workspace/host-room.h"
#include "workspace/steps.h"
#include "workspace/workspace-demand.h"

namespace bothy {

WorkspaceManager::WorkspaceManager(World worldParam, Limits limitsParam)
    : world(worldParam),
      limits(kj::mv(limitsParam)),
      leases(world.timer, world.clock, limits.leases),
      shares(limits.capacity),
      registry(world, leases, shares),
      strangers(world, leases, registry),
      tasks(*this) {
  world.tiers = limits.tiers;
  world.driver.setEvents(*this);
}

WorkspaceManager::~WorkspaceManager() noexcept(false) {}

void WorkspaceManager::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "a task of the workspace manager failed", exception.getDescription());
}

// ---------------------------------------------------------------------------------------------
// Recovery

kj::Promise<void> WorkspaceManager::recover() {
  auto state = co_await world.store.begin();
  world.events.reached(state.lastEvent);
  const auto database =
      state.lastEvent == 0 ? Strangers::Database::NEW : Strangers::Database::IN_USE;
  KJ_LOG(INFO, "the database is ours", state.epoch, state.workspaces.size());
  auto unsettled = registry.enter(state);
  leases.enter(state.machines);
  sessions = kj::mv(state.sessions);
  activities = kj::mv(state.activities);
  wakeLocks = kj::mv(state.wakeLocks);
  auto besides = co_await strangers.examine(kj::mv(state.machines), database);
  for (auto& workspace : besides) unsettled.add(kj::mv(workspace));

  kj::Vector<kj::Promise<void>> recoveries;
  for (auto& workspace : unsettled) {
    auto promise = workspace->recover();
    recoveries.add(promise.attach(kj::mv(workspace)));
  }
  co_await kj::joinPromises(recoveries.releaseAsArray());
}

// ---------------------------------------------------------------------------------------------
// Creating

WorkspaceManager::CreateOutcome WorkspaceManager::outcomeOf(kj::Own<Workspace> workspace,
                                                            Workspace::StartOutcome outcome) {
  // Made, and what came then is over.
  if (outcome.is<Busy>()) return Created{kj::mv(workspace)};
  if (outcome.is<Superseded>()) {
    if (outcome.get<Superseded>().by == Wish::STOP) return Stopped{kj::mv(workspace)};
    StartReport::Failure failure{Stage::CREATING_DISK, StartFault::OTHER,
                                 kj::str("it was deleted before it was ready"), nullptr};
    return kj::mv(failure);
  }
  KJ_IF_MAYBE (underway, outcome.tryGet<Underway>()) return kj::mv(*underway);
  KJ_IF_MAYBE (shortage, outcome.tryGet<Shortage>()) return kj::mv(*shortage);
  auto& report = *outcome.get<kj::Own<StartReport>>();
  KJ_IF_MAYBE (failure, report.failure) {
    if (failure->noSpace) return NoSpace{kj::str(failure->message)};
    // Others may wait for the same report.
    return StartReport::Failure{failure->stage, failure->fault, kj::str(failure->message),
                                kj::str(failure->console)};
  }
  return Created{kj::mv(workspace)};
}

kj::Promise<WorkspaceManager::CreateOutcome> WorkspaceManager::answerAgain(
    RequestRecord earlier, kj::StringPtr asked, kj::Own<Workspace> workspace,
    kj::Maybe<kj::Own<Progress>> progress) {
  if (earlier.asked != asked) co_return RequestConflict();
  const auto state = workspace->state();
  if (earlier.outcome == RequestOutcome::OPEN && state != WorkspaceState::CREATING &&
      state != WorkspaceState::STARTING) {
    // Its end has been stored since that was read.
    auto ended = co_await world.store.request(earlier.requestId);
    KJ_IF_MAYBE (e, ended) {
      earlier = kj::mv(*e);
    } else {
      co_return outcomeOf(kj::mv(workspace), Superseded{Wish::DELETE});
    }
  }
  switch (earlier.outcome) {
    case RequestOutcome::OPEN:
      break;
    case RequestOutcome::SUCCEEDED:
      co_return Created{kj::mv(workspace)};
    case RequestOutcome::STOPPED:
      co_return Stopped{kj::mv(workspace)};
    case RequestOutcome::FAILED:
      co_return StartReport::Failure{static_cast<Stage>(earlier.stage),
                                     static_cast<StartFault>(earlier.fault),
                                     kj::mv(earlier.message), kj::mv(earlier.console)};
  }
  switch (workspace->state()) {
    case WorkspaceState::CREATING:
    case WorkspaceState::STARTING: {
      auto outcome = co_await workspace->join(kj::mv(progress));
      co_return outcomeOf(kj::mv(workspace), kj::mv(outcome));
    }
    case WorkspaceState::FAILED: {
      StartReport::Failure failure{Stage::STARTING_VM, StartFault::OTHER,
                                   kj::str(workspace->row().failure), nullptr};
      failure.console = co_await consoleOfFile(world, workspace->row().id);
      co_return kj::mv(failure);
    }
    default:
      co_return Created{kj::mv(workspace)};
  }
}

kj::Promise<WorkspaceManager::CreateOutcome> WorkspaceManager::create(
    CreateRequest request, kj::Maybe<kj::Own<Progress>> progress) {
  if (request.requestId.size() > rpc::MAX_REQUEST_ID_BYTES) {
    co_return Invalid{kj::str("requestId has ", request.requestId.size(),
                              " bytes: it must be at most ", rpc::MAX_REQUEST_ID_BYTES)};
  }
  // Before anything is waited for: what a client may send is much longer than what is valid.
  auto checked = check(request.spec, limits.defaults, limits.tiers);
  if (checked.is<kj::String>()) co_return Invalid{kj::mv(checked.get<kj::String>())};
  auto& spec = checked.get<CheckedSpec>();
  auto asked = kj::str(request.start ? "start " : "make ", canonicalText(request.spec));
  kj::Own<CreationClaims::Claim> claimed;
  for (;;) {
    claimed = co_await claims.take(
        {request.spec.name, request.requestId, request.user, request.userName});
    if (request.requestId.size() == 0) break;
    auto earlier = co_await world.store.request(request.requestId);
    if (earlier == nullptr) break;
    auto& answered = KJ_ASSERT_NONNULL(earlier);
    // It may have gone since that was read.
    auto found = registry.byId(answered.workspaceId);
    if (found == nullptr) {
      // The next claim would wait for this one.
      claimed = nullptr;
      continue;
    }
    auto workspace = kj::mv(KJ_ASSERT_NONNULL(found));
    claimed = nullptr;
    co_await workspace->quiet();
    if (answered.asked != asked || workspace->state() != WorkspaceState::DELETING) {
      co_return co_await answerAgain(kj::mv(answered), asked, kj::mv(workspace), kj::mv(progress));
    }
    // Half-made when a bothyd was killed, or deleted: its request id goes with it, and the same is made anew.
    co_await workspace->erase(request.actor).ignoreResult();
  }

  auto noRoom = co_await shortageOfRoom(world, shares);
  // Of what was made before, the host had enough then.
  KJ_IF_MAYBE (fault, checkHost(spec, limits.hostMemoryMib)) co_return Invalid{kj::mv(*fault)};
  KJ_IF_MAYBE (existing, find(spec.name.text())) {
    co_return Exists{kj::mv(*existing)};
  }
  KJ_IF_MAYBE (existing, ofUser(request.user, request.userName)) {
    co_return Exists{kj::mv(*existing)};
  }
  if (world.images.find(spec.image) == nullptr) co_return NoSuchImage{kj::mv(spec.image)};

  WorkspaceRow row;
  row.id = kj::str(WorkspaceId::generate(world.randomness).text());
  row.name = kj::str(spec.name.text());
  row.image = kj::mv(spec.image);
  row.cpus = spec.cpus;
  row.memoryMib = spec.memoryMib;
  row.diskMib = spec.diskMib;
  row.tier = kj::mv(spec.tier);
  row.user = kj::mv(request.user);
  row.userName = kj::mv(request.userName);
  auto& configuration = request.spec.configuration;
  row.labels = kj::mv(configuration.labels);
  row.isConfigured = configuration.content.size() > 0;
  row.setupSteps = configuration.setupSteps;
  row.createdNanos = nanosOf(world.clock.now());
  auto operation = CreateOperation::beginning(world, row.id, request.start, request.requestId);
  operation.actor = kj::mv(request.actor);
  KJ_IF_MAYBE (shortage, noRoom) co_return kj::mv(*shortage);
  auto admitted = kj::heap<HostCapacity::Share>(shares);
  KJ_IF_MAYBE (shortage, admitted->tryChange(demandOf(row, nullptr, operation.clone()))) {
    co_return kj::mv(*shortage);
  }
  kj::Maybe<RequestRecord> record;
  if (request.requestId.size() > 0) {
    record = RequestRecord{kj::mv(request.requestId), kj::mv(asked), kj::str(row.id)};
  }
  // What is begun is carried out though the caller leaves.
  auto begun = co_await carryOut(
      begin({kj::mv(row), nullptr, kj::mv(operation)}, kj::mv(record),
            kj::mv(configuration.content), kj::mv(claimed), kj::mv(admitted), kj::mv(progress)),
      [this](kj::Promise<void> rest) { tasks.add(kj::mv(rest)); });
  auto outcome = co_await begun.outcome;
  co_return outcomeOf(kj::mv(begun.workspace), kj::mv(outcome));
}

kj::Promise<WorkspaceManager::Begun> WorkspaceManager::begin(
    WorkspaceJournal::Rows rows, kj::Maybe<RequestRecord> request,
    kj::Array<const kj::byte> configuration, kj::Own<CreationClaims::Claim> claim,
    kj::Own<HostCapacity::Share> admitted, kj::Maybe<kj::Own<Progress>> progress) {
  auto& row = rows.row;
  EventRecord event;
  event.timeNanos = row.createdNanos;
  event.workspace = kj::str(row.name);
  event.workspaceId = kj::str(row.id);
  event.actor = kj::str(KJ_ASSERT_NONNULL(rows.operation).actor);
  Change change;
  change.add(row.clone()).add(KJ_ASSERT_NONNULL(rows.operation).clone()).tell(kj::mv(event));
  KJ_IF_MAYBE (record, request) change.add(kj::mv(*record));
  if (row.isConfigured) change.add(ConfigurationRow{kj::str(row.id), kj::mv(configuration)});
  auto committed = co_await world.store.commit(kj::mv(change));
  world.events.reached(committed.lastEvent);

  KJ_LOG(INFO, "workspace being made", row.name, row.id, row.image, row.cpus, row.memoryMib,
         row.diskMib);
  auto workspace = registry.add(kj::mv(rows));
  // It counts itself.
  admitted = nullptr;
  claim = nullptr;
  auto outcome = workspace->make(kj::mv(progress));
  co_return Begun{kj::mv(workspace), kj::mv(outcome)};
}

// ---------------------------------------------------------------------------------------------
// Tiers and capacity

kj::Maybe<uint32_t> WorkspaceManager::mostDiskMib(const WorkspaceRow& row) const {
  return limits.tiers.find(row.tier).map([](const Tier& tier) { return tier.diskMib; });
}

kj::Promise<WorkspaceManager::TierOutcome> WorkspaceManager::changeTier(kj::StringPtr name,
                                                                        kj::StringPtr tierName,
                                                                        TierWish wish,
                                                                        kj::StringPtr actor) {
  auto wanted = limits.tiers.find(tierName);
  if (wanted == nullptr) {
    co_return Workspace::InvalidTier{noSuchTier(tierName, limits.tiers)};
  }
  auto found = find(name);
  if (found == nullptr) co_return Absent();
  auto tier = KJ_ASSERT_NONNULL(wanted).clone();
  KJ_IF_MAYBE (fault, checkHost(tier, limits.hostMemoryMib)) {
    co_return Workspace::InvalidTier{kj::mv(*fault)};
  }
  auto workspace = kj::mv(KJ_ASSERT_NONNULL(found));
  Tier none;
  none.sessions = limits.sessionsWithoutTier;
  const auto& present = limits.tiers.find(workspace->row().tier)
                            .map([](const Tier& t) -> const Tier& { return t; })
                            .orDefault(none);
  auto before = present.clone();
  auto outcome = co_await workspace->changeTier(kj::mv(tier), kj::mv(before), wish, actor);
  KJ_SWITCH_ONEOF(outcome) {
    KJ_CASE_ONEOF(plan, TierPlan) co_return kj::mv(plan);
    KJ_CASE_ONEOF(changed, Workspace::TierChanged) co_return kj::mv(changed);
    KJ_CASE_ONEOF(invalid, Workspace::InvalidTier) co_return kj::mv(invalid);
    KJ_CASE_ONEOF(busy, Busy) co_return kj::mv(busy);
    KJ_CASE_ONEOF(shortage, Shortage) co_return kj::mv(shortage);
  }
  KJ_UNREACHABLE;
}

kj::Promise<uint64_t> WorkspaceManager::freeDiskMib() {
  return within(world.timer, ROOM_LIMIT, "the room on the host's disk was not found",
                kj::evalNow([this]() { return world.volumes.freeBytes(); }))
      .then([](uint64_t bytes) { return bytes >> 20; });
}

// ---------------------------------------------------------------------------------------------
// Notices of the driver

void WorkspaceManager::note(kj::StringPtr vmName, Cause cause, kj::StringPtr detail) {
  KJ_IF_MAYBE (workspace, registry.present(vmName)) {
    workspace->note(cause, detail);
  }
}

void WorkspaceManager::vsockLost(kj::StringPtr vmName) {
  KJ_IF_MAYBE (workspace, registry.present(vmName)) {
    workspace->note(Cause::VSOCK_LOST, "connections into the machine are broken");
    // In whatever state: lanes of an earlier bothyd are gone with it.
    KJ_IF_MAYBE (machine, workspace->machineAtHand()) (*machine)->noteVsockLoss();
  }
}

void WorkspaceManager::vsockRestored(kj::StringPtr vmName) {
  note(vmName, Cause::VSOCK_RESTORED, "the machine can be reached again");
}

void WorkspaceManager::vsockNotRestored(kj::StringPtr vmName) {
  note(
      vmName, Cause::VSOCK_NOT_RESTORED,
      "the machine's vsock device could not be replaced: it is tried each minute, and a stop and a "
      "start of the workspace give it another");
}

void WorkspaceManager::diskFull(kj::StringPtr vmName) {
  KJ_IF_MAYBE (workspace, registry.present(vmName)) {
    workspace->note(Cause::DISK_FULL, STALL_REASON);
    KJ_IF_MAYBE (machine, workspace->machineAtHand()) (*machine)->noteStall();
  }
}

void WorkspaceManager::diskFreed(kj::StringPtr vmName) {
  note(vmName, Cause::DISK_FREED, "the host's disk has room again, and the machine goes on");
}

}  // namespace bothy
