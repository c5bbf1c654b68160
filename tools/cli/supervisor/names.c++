#include "supervisor/names.h"

namespace bothy {

kj::StringPtr nameOf(rpc::WorkspaceState state) {
  switch (state) {
    case rpc::WorkspaceState::CREATING:
      return "creating";
    case rpc::WorkspaceState::STOPPED:
      return "stopped";
    case rpc::WorkspaceState::STARTING:
      return "starting";
    case rpc::WorkspaceState::RUNNING:
      return "running";
    case rpc::WorkspaceState::STOPPING:
      return "stopping";
    case rpc::WorkspaceState::DELETING:
      return "deleting";
    case rpc::WorkspaceState::FAILED:
      return "failed";
    case rpc::WorkspaceState::RESIZING:
      return "resizing";
    case rpc::WorkspaceState::PAUSED:
      return "paused";
    case rpc::WorkspaceState::PAUSING:
      return "pausing";
    case rpc::WorkspaceState::RESUMING:
      return "resuming";
    case rpc::WorkspaceState::EXPIRED:
      return "expired";
    case rpc::WorkspaceState::EXPIRING:
      return "expiring";
    case rpc::WorkspaceState::HIBERNATED:
      return "hibernated";
    case rpc::WorkspaceState::HIBERNATING:
      return "hibernating";
  }
  return "unknown";
}

kj::StringPtr nameOf(rpc::Stage stage) {
  switch (stage) {
    case rpc::Stage::CREATING_DISK:
      return "creating the disk";
    case rpc::Stage::STARTING_VM:
      return "starting the machine";
    case rpc::Stage::BOOTING:
      return "booting";
    case rpc::Stage::AGENT_READY:
      return "ready";
    case rpc::Stage::WAITING:
      return "waiting for its turn";
    case rpc::Stage::SETTING_UP:
      return "setting it up";
    case rpc::Stage::RESUMING:
      return "resuming";
  }
  return "working";
}

kj::StringPtr nameOf(rpc::Cause cause) {
  switch (cause) {
    case rpc::Cause::REQUEST:
      return "asked for";
    case rpc::Cause::GUEST_POWERED_OFF:
      return "powered itself off";
    case rpc::Cause::VM_EXITED:
      return "the machine ended";
    case rpc::Cause::START_FAILED:
      return "did not start";
    case rpc::Cause::ADOPTED:
      return "found running";
    case rpc::Cause::RECOVERED:
      return "cleaned up";
    case rpc::Cause::VSOCK_LOST:
      return "vsock lost";
    case rpc::Cause::VSOCK_RESTORED:
      return "vsock restored";
    case rpc::Cause::RESIZE_FAILED:
      return "disk not resized";
    case rpc::Cause::DISK_FULL:
      return "stands still";
    case rpc::Cause::DISK_FREED:
      return "goes on";
    case rpc::Cause::GUEST_REBOOTED:
      return "rebooted itself";
    case rpc::Cause::UNREACHABLE:
      return "not reached yet";
    case rpc::Cause::VSOCK_NOT_RESTORED:
      return "vsock not restored";
    case rpc::Cause::PROGRAM_ENDED:
      return "program ended";
    case rpc::Cause::OUT_OF_MEMORY:
      return "out of memory";
    case rpc::Cause::DISK_FILLING:
      return "disk filling";
    case rpc::Cause::PORT_OPENED:
      return "port opened";
    case rpc::Cause::PORT_CLOSED:
      return "port closed";
    case rpc::Cause::IDLE:
      return "nobody used it";
    case rpc::Cause::IDLE_WARNING:
      return "nobody uses it";
    case rpc::Cause::SET_UP:
      return "set up";
    case rpc::Cause::SETUP_FAILED:
      return "set-up failed";
    case rpc::Cause::MEMORY_LOST:
      return "memory lost";
  }
  return "unknown";
}

kj::StringPtr nameOf(rpc::Verdict verdict) {
  switch (verdict) {
    case rpc::Verdict::OK:
      return "ok";
    case rpc::Verdict::WARN:
      return "warn";
    case rpc::Verdict::REFUSE:
      return "refuse";
  }
  return "unknown";
}

bool isHalted(rpc::WorkspaceState state) {
  return state == rpc::WorkspaceState::PAUSED || state == rpc::WorkspaceState::PAUSING ||
         state == rpc::WorkspaceState::RESUMING || state == rpc::WorkspaceState::HIBERNATED ||
         state == rpc::WorkspaceState::HIBERNATING;
}

}  // namespace bothy
