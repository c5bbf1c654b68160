#pragma once

#include <stdint.h>

#include <kj/array.h>
#include <kj/common.h>
#include <kj/string.h>

namespace bothy {

// The numbers are on disk and on the wire: never changed, only added to.
enum class WorkspaceState : uint8_t {
  CREATING = 0,
  STOPPED = 1,
  STARTING = 2,
  RUNNING = 3,
  STOPPING = 4,
  DELETING = 5,
  FAILED = 6,
  RESIZING = 7,
};

enum class Cause : uint8_t {
  REQUEST = 0,
  GUEST_POWERED_OFF = 1,
  VM_EXITED = 2,
  START_FAILED = 3,
  ADOPTED = 4,
  RECOVERED = 5,
  VSOCK_LOST = 6,
  VSOCK_RESTORED = 7,
  RESIZE_FAILED = 8,
  DISK_FULL = 9,
  DISK_FREED = 10,
  GUEST_REBOOTED = 11,
  UNREACHABLE = 12,
};

kj::StringPtr toString(WorkspaceState state);
kj::StringPtr toString(Cause cause);
inline kj::StringPtr KJ_STRINGIFY(WorkspaceState state) {
  return toString(state);
}
inline kj::StringPtr KJ_STRINGIFY(Cause cause) {
  return toString(cause);
}

// One workspace as the store keeps it.
struct WorkspaceRow {
  kj::String id;
  kj::String name;
  kj::String image;
  uint32_t cpus = 0;
  uint32_t memoryMib = 0;
  uint32_t diskMib = 0;
  // In state RESIZING: how large the disk is being made; else 0.
  uint32_t wantedDiskMib = 0;
  // Unique on the host, as long as the workspace exists.
  uint32_t uid = 0;
  uint32_t cid = 0;
  WorkspaceState state = WorkspaceState::CREATING;
  // In state FAILED: why, one line, guest text escaped.
  kj::String failure;
  // Of the running boot; empty unless a machine may run.
  kj::Array<const kj::byte> secret;
  // In state STARTING: the guest asked for it, so that it goes on without a client.
  bool rebooting = false;
  int64_t createdNanos = 0;
  int64_t startedNanos = 0;
  kj::String agentVersion;

  WorkspaceRow clone() const;
};

// One state change of one workspace, for whoever watches.
struct EventRecord {
  uint64_t number = 0;
  int64_t timeNanos = 0;
  kj::String workspace;
  kj::String workspaceId;
  WorkspaceState before = WorkspaceState::CREATING;
  WorkspaceState after = WorkspaceState::CREATING;
  bool gone = false;
  Cause cause = Cause::REQUEST;
  kj::String detail;
};

// A client's request id, and what it asked for.
struct RequestRecord {
  kj::String requestId;
  // What was asked, as a text that is equal exactly when the requests are.
  kj::String asked;
  kj::String workspaceId;
};

}  // namespace bothy
