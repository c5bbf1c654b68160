#include "store/records.h"

#include <kj/debug.h>

namespace bothy {

int64_t nanosOf(kj::Date date) {
  return (date - kj::UNIX_EPOCH) / kj::NANOSECONDS;
}

kj::StringPtr toString(WorkspaceState state) {
  switch (state) {
    case WorkspaceState::CREATING:
      return "creating";
    case WorkspaceState::STOPPED:
      return "stopped";
    case WorkspaceState::STARTING:
      return "starting";
    case WorkspaceState::RUNNING:
      return "running";
    case WorkspaceState::STOPPING:
      return "stopping";
    case WorkspaceState::DELETING:
      return "deleting";
    case WorkspaceState::FAILED:
      return "failed";
    case WorkspaceState::RESIZING:
      return "resizing";
    case WorkspaceState::PAUSED:
      return "paused";
    case WorkspaceState::PAUSING:
      return "pausing";
    case WorkspaceState::RESUMING:
      return "resuming";
    case WorkspaceState::EXPIRED:
      return "expired";
    case WorkspaceState::EXPIRING:
      return "expiring";
    case WorkspaceState::HIBERNATED:
      return "hibernated";
    case WorkspaceState::HIBERNATING:
      return "hibernating";
  }
  KJ_UNREACHABLE;
}

kj::StringPtr toString(Rest rest) {
  return toString(static_cast<WorkspaceState>(rest));
}

kj::StringPtr toString(Cause cause) {
  switch (cause) {
    case Cause::REQUEST:
      return "request";
    case Cause::GUEST_POWERED_OFF:
      return "guest powered off";
    case Cause::VM_EXITED:
      return "vm exited";
    case Cause::START_FAILED:
      return "start failed";
    case Cause::ADOPTED:
      return "adopted";
    case Cause::RECOVERED:
      return "recovered";
    case Cause::VSOCK_LOST:
      return "vsock lost";
    case Cause::VSOCK_RESTORED:
      return "vsock restored";
    case Cause::RESIZE_FAILED:
      return "resize failed";
    case Cause::DISK_FULL:
      return "disk full";
    case Cause::DISK_FREED:
      return "disk freed";
    case Cause::GUEST_REBOOTED:
      return "guest rebooted";
    case Cause::UNREACHABLE:
      return "unreachable";
    case Cause::VSOCK_NOT_RESTORED:
      return "vsock not restored";
    case Cause::PROGRAM_ENDED:
      return "program ended";
    case Cause::OUT_OF_MEMORY:
      return "out of memory";
    case Cause::DISK_FILLING:
      return "disk filling";
    case Cause::PORT_OPENED:
      return "port opened";
    case Cause::PORT_CLOSED:
      return "port closed";
    case Cause::IDLE:
      return "idle";
    case Cause::IDLE_WARNING:
      return "idle warning";
    case Cause::SET_UP:
      return "set up";
    case Cause::SETUP_FAILED:
      return "setup failed";
    case Cause::MEMORY_LOST:
      return "memory lost";
  }
  KJ_UNREACHABLE;
}

bool SleepRecord::operator==(const SleepRecord& other) const {
  return sinceNanos == other.sinceNanos && bytes == other.bytes && format == other.format &&
         secret.asPtr() == other.secret.asPtr() && startedNanos == other.startedNanos &&
         agentVersion == other.agentVersion && cpus == other.cpus && memoryMib == other.memoryMib;
}

SleepRecord SleepRecord::clone() const {
  return {sinceNanos,
          bytes,
          kj::str(format),
          kj::heapArray<kj::byte>(secret),
          startedNanos,
          kj::str(agentVersion),
          cpus,
          memoryMib};
}

WorkspaceRow WorkspaceRow::clone() const {
  WorkspaceRow copy;
  copy.id = kj::str(id);
  copy.name = kj::str(name);
  copy.image = kj::str(image);
  copy.cpus = cpus;
  copy.memoryMib = memoryMib;
  copy.diskMib = diskMib;
  copy.nextDiskMib = nextDiskMib;
  copy.tier = kj::str(tier);
  copy.user = kj::str(user);
  copy.userName = kj::str(userName);
  copy.labels = kj::str(labels);
  copy.isConfigured = isConfigured;
  copy.setupSteps = setupSteps;
  copy.setupDone = setupDone;
  copy.setupFailure = kj::str(setupFailure);
  copy.rest = rest;
  copy.failure = kj::str(failure);
  copy.createdNanos = createdNanos;
  copy.lastActiveNanos = lastActiveNanos;
  copy.sleeps = sleeps;
  copy.sleep = sleep.clone();
  copy.damage = kj::str(damage);
  return copy;
}

MachineRow MachineRow::clone() const {
  return {uid,
          cid,
          kj::str(workspaceId),
          kj::heapArray<kj::byte>(secret),
          startedNanos,
          kj::str(agentVersion),
          releasedNanos,
          pausedNanos,
          cpus,
          memoryMib};
}

OperationRow OperationRow::clone() const {
  return {kj::str(id),         kj::str(workspaceId), kj::str(kind), kj::str(step),
          kj::str(parameters), kj::str(requestId),   deadlineNanos, kj::str(actor)};
}

SessionRow SessionRow::clone() const {
  return {kj::str(id),
          kj::str(workspaceId),
          kj::heapArray<kj::byte>(tokenHash),
          verbs,
          kj::heapArray<kj::byte>(beneath),
          kj::str(label),
          kj::str(actor),
          kj::str(requestId),
          createdNanos,
          expiresNanos,
          lastUsedNanos,
          revokedNanos};
}

ActivityRow ActivityRow::clone() const {
  return {kj::str(workspaceId), kj::str(overrides), idleNanos,  hostNanos,
          kj::str(rule),        ruleNanos,          warnedNanos};
}

WakeLockRow WakeLockRow::clone() const {
  return {kj::str(id),     kj::str(workspaceId), kj::str(holder),
          kj::str(reason), takenNanos,           untilNanos};
}

EventRecord EventRecord::clone() const {
  return {number, timeNanos, count, firstNanos, kj::str(workspace), kj::str(workspaceId),
          before, after,     gone,  cause,      kj::str(detail),    kj::str(actor)};
}

RequestRecord RequestRecord::clone() const {
  return {kj::str(requestId), kj::str(asked),  kj::str(workspaceId), outcome, stage, fault,
          kj::str(message),   kj::str(console)};
}

}  // namespace bothy
