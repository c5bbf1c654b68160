#include "control/translation.h"

#include <kj/debug.h>

#include "control/activity-facet.h"
#include "workspace/given-configuration.h"

namespace bothy {

// The numbers of both are fixed and the same: the store's are on disk, the schema's on the wire.
static_assert(static_cast<int>(WorkspaceState::FAILED) ==
              static_cast<int>(rpc::WorkspaceState::FAILED));
static_assert(static_cast<int>(WorkspaceState::RESIZING) ==
              static_cast<int>(rpc::WorkspaceState::RESIZING));
static_assert(static_cast<int>(WorkspaceState::RESUMING) ==
              static_cast<int>(rpc::WorkspaceState::RESUMING));
static_assert(static_cast<int>(WorkspaceState::EXPIRING) ==
              static_cast<int>(rpc::WorkspaceState::EXPIRING));
static_assert(static_cast<int>(LAST_STATE) == static_cast<int>(rpc::WorkspaceState::HIBERNATING));
static_assert(static_cast<int>(Cause::MEMORY_LOST) == static_cast<int>(rpc::Cause::MEMORY_LOST));
static_assert(static_cast<int>(WorkspaceState::RUNNING) ==
              static_cast<int>(rpc::WorkspaceState::RUNNING));
static_assert(static_cast<int>(Cause::UNREACHABLE) == static_cast<int>(rpc::Cause::UNREACHABLE));
static_assert(static_cast<int>(Cause::VSOCK_NOT_RESTORED) ==
              static_cast<int>(rpc::Cause::VSOCK_NOT_RESTORED));
static_assert(static_cast<int>(Cause::PORT_CLOSED) == static_cast<int>(rpc::Cause::PORT_CLOSED));
static_assert(static_cast<int>(Cause::IDLE_WARNING) == static_cast<int>(rpc::Cause::IDLE_WARNING));
static_assert(static_cast<int>(Cause::ADOPTED) == static_cast<int>(rpc::Cause::ADOPTED));
static_assert(static_cast<int>(Verdict::REFUSE) == static_cast<int>(rpc::Verdict::REFUSE));
static_assert(static_cast<int>(StartFault::GENERATION) ==
              static_cast<int>(rpc::StartFault::GENERATION));
static_assert(static_cast<int>(Stage::AGENT_READY) == static_cast<int>(rpc::Stage::AGENT_READY));
static_assert(static_cast<int>(Resource::DISK) == static_cast<int>(rpc::Shortage::Resource::DISK));
static_assert(static_cast<int>(TierPlan::Figure::WRITE_OPERATIONS) ==
              static_cast<int>(rpc::TierPlan::Figure::WRITE_OPERATIONS));
static_assert(static_cast<int>(TierPlan::When::NEVER) ==
              static_cast<int>(rpc::TierPlan::When::NEVER));
static_assert(static_cast<int>(Stage::WAITING) == static_cast<int>(rpc::Stage::WAITING));
static_assert(static_cast<int>(Stage::SETTING_UP) == static_cast<int>(rpc::Stage::SETTING_UP));
static_assert(static_cast<int>(Stage::RESUMING) == static_cast<int>(rpc::Stage::RESUMING));
static_assert(static_cast<int>(Cause::SETUP_FAILED) == static_cast<int>(rpc::Cause::SETUP_FAILED));

rpc::WorkspaceState toRpc(WorkspaceState state) {
  return static_cast<rpc::WorkspaceState>(state);
}

rpc::Stage toRpc(Stage stage) {
  return static_cast<rpc::Stage>(stage);
}

rpc::Cause toRpc(Cause cause) {
  return static_cast<rpc::Cause>(cause);
}

rpc::Verdict toRpc(Verdict verdict) {
  return static_cast<rpc::Verdict>(verdict);
}

WorkspaceState fromRpc(rpc::WorkspaceState state) {
  KJ_REQUIRE(state <= toRpc(LAST_STATE), "this bothyd knows no such state of a workspace",
             static_cast<int>(state));
  return static_cast<WorkspaceState>(state);
}

kj::OneOf<GivenSpec, kj::String> fromRpc(rpc::WorkspaceSpec::Reader spec) {
  auto configuration = GivenConfiguration::of(spec.getLabels(), spec.getConfiguration());
  KJ_IF_MAYBE (fault, configuration.tryGet<kj::String>()) return kj::mv(*fault);
  return GivenSpec{kj::str(spec.getName()),
                   kj::str(spec.getImage()),
                   spec.getCpus(),
                   spec.getMemoryMib(),
                   spec.getDiskMib(),
                   kj::str(spec.getTier()),
                   kj::mv(configuration.get<GivenConfiguration>())};
}

void fill(rpc::Supervisor::StartFailure::Builder failure, const StartReport::Failure& from) {
  failure.setStage(toRpc(from.stage));
  failure.setMessage(from.message);
  failure.setConsole(from.console);
  failure.setFault(static_cast<rpc::StartFault>(from.fault));
}

void fill(rpc::Supervisor::Underway::Builder underway, const Underway& from) {
  underway.setState(toRpc(from.state));
  underway.setWhy(from.why);
}

void fill(rpc::Event::Builder event, const EventRecord& from) {
  event.setNumber(from.number);
  event.setTimeNanos(from.timeNanos);
  event.setWorkspace(from.workspace);
  event.setWorkspaceId(from.workspaceId);
  event.setBefore(toRpc(from.before));
  event.setAfter(toRpc(from.after));
  event.setGone(from.gone);
  event.setCause(toRpc(from.cause));
  event.setDetail(from.detail);
  event.setActor(from.actor);
  event.setCount(from.count);
  event.setFirstNanos(from.firstNanos);
}

void fill(rpc::Finding::Builder finding, const Finding& from) {
  finding.setName(from.name);
  finding.setVerdict(toRpc(from.verdict));
  finding.setFound(from.found);
  finding.setAdvice(from.advice);
}

void fill(rpc::Tier::Builder tier, const Tier& from) {
  tier.setName(from.name);
  tier.setCpus(from.cpus);
  tier.setMemoryMib(from.memoryMib);
  tier.setDiskMib(from.diskMib);
  tier.setSessions(from.sessions);
  auto io = tier.initIo();
  io.setReadBytes(uint64_t{from.readMib} << 20);
  io.setWriteBytes(uint64_t{from.writeMib} << 20);
  io.setReadOperations(from.readOperations);
  io.setWriteOperations(from.writeOperations);
  fill(tier.initIdle(), from.idle);
}

void fill(rpc::TierPlan::Builder told, const TierPlan& plan) {
  told.setRefusal(plan.refusal);
  auto list = told.initChanges(plan.changes.size());
  for (auto i : kj::indices(plan.changes)) {
    auto& change = plan.changes[i];
    list[i].setFigure(static_cast<rpc::TierPlan::Figure>(change.figure));
    list[i].setBefore(change.before);
    list[i].setAfter(change.after);
    list[i].setWhen(static_cast<rpc::TierPlan::When>(change.when));
  }
}

void fill(rpc::Shortage::Builder shortage, const Shortage& from) {
  shortage.setWhat(static_cast<rpc::Shortage::Resource>(from.what));
  shortage.setAsked(from.asked);
  shortage.setFree(from.free);
  shortage.setWhy(from.why);
}

void fill(rpc::Capacity::Builder capacity, const HostCapacity& from, uint64_t freeDiskMib) {
  auto& used = from.used();
  auto& policy = from.policy();
  capacity.getMemory().setUsedMib(used.memoryMib);
  capacity.getMemory().setMostMib(policy.memoryMib);
  capacity.getCpus().setUsed(used.cpus);
  capacity.getCpus().setMost(policy.cpus);
  auto disk = capacity.getDisk();
  disk.setPromisedMib(used.diskMib);
  if (policy.diskMib != CapacityPolicy::UNLIMITED) disk.setMostMib(policy.diskMib);
  disk.setFreeMib(freeDiskMib);
  disk.setKeptMib(policy.freeDiskMib);
}

kj::StringPtr acceleratorName(const HostAbilities& abilities) {
  return abilities.accelerator == HostAbilities::Accelerator::KVM ? "kvm"_kj : "tcg"_kj;
}

kj::StringPtr vsockName(const HostAbilities& abilities) {
  return abilities.vsock == HostAbilities::Vsock::KERNEL ? "kernel"_kj : "vhost-user"_kj;
}

}  // namespace bothy
