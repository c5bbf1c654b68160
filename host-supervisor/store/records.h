#pragma once

#include <stdint.h>

#include <kj/array.h>
#include <kj/common.h>
#include <kj/string.h>
#include <kj/time.h>

namespace bothy {

// What clients see of a workspace: computed from its rest and the operation under way.  The numbers are on disk (in events) and on
// the wire: never changed, only added to.
enum class WorkspaceState : uint8_t {
  CREATING = 0,
  STOPPED = 1,
  STARTING = 2,
  RUNNING = 3,
  STOPPING = 4,
  DELETING = 5,
  FAILED = 6,
  RESIZING = 7,
  PAUSED = 8,
  PAUSING = 9,
  RESUMING = 10,
  EXPIRED = 11,
  EXPIRING = 12,
  HIBERNATED = 13,
  HIBERNATING = 14,
};
constexpr WorkspaceState LAST_STATE = WorkspaceState::HIBERNATING;

// Where a workspace is while no operation is under way.  The numbers are on disk, and those of WorkspaceState.
enum class Rest : uint8_t {
  STOPPED = 1,
  RUNNING = 3,
  FAILED = 6,
  PAUSED = 8,
  EXPIRED = 11,
  HIBERNATED = 13,
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
  VSOCK_NOT_RESTORED = 13,
  PROGRAM_ENDED = 14,
  OUT_OF_MEMORY = 15,
  DISK_FILLING = 16,
  PORT_OPENED = 17,
  PORT_CLOSED = 18,
  IDLE = 19,
  IDLE_WARNING = 20,
  SET_UP = 21,
  SETUP_FAILED = 22,
  MEMORY_LOST = 23,
};

// Causes of what guests report of themselves; all others are what this host knows.
constexpr Cause FIRST_GUEST_CAUSE = Cause::PROGRAM_ENDED, LAST_GUEST_CAUSE = Cause::PORT_CLOSED;

kj::StringPtr toString(WorkspaceState state);
kj::StringPtr toString(Rest rest);
kj::StringPtr toString(Cause cause);
inline kj::StringPtr KJ_STRINGIFY(WorkspaceState state) {
  return toString(state);
}
inline kj::StringPtr KJ_STRINGIFY(Rest rest) {
  return toString(rest);
}
inline kj::StringPtr KJ_STRINGIFY(Cause cause) {
  return toString(cause);
}

// As rows have times: nanoseconds since 1970.
int64_t nanosOf(kj::Date date);

// A machine's memory that is kept while there is no machine, and the boot that goes on with it.
struct SleepRecord {
  // 0: there is none.
  int64_t sinceNanos = 0;
  // What it has on the host's disk.
  uint64_t bytes = 0;
  // See HostAbilities::memoryFormat, with the image's root file system.
  kj::String format = nullptr;
  // As MachineRow has them.
  kj::Array<const kj::byte> secret = nullptr;
  int64_t startedNanos = 0;
  kj::String agentVersion = nullptr;
  uint32_t cpus = 0;
  uint32_t memoryMib = 0;

  bool isThere() const { return sinceNanos != 0; }
  bool operator==(const SleepRecord& other) const;
  SleepRecord clone() const;
};

// One workspace as the store keeps it.  Its id, name, image, user, labels, configuration and time of creation never change.
struct WorkspaceRow {
  kj::String id;
  kj::String name;
  kj::String image;
  // Of its next machine; that of the machine that runs is in its row.
  uint32_t cpus = 0;
  uint32_t memoryMib = 0;
  uint32_t diskMib = 0;
  // To which its disk grows at the next start; 0: it does not.
  uint32_t nextDiskMib = 0;
  // Its name; empty: none.
  kj::String tier;
  // Whose it is, as the platform names him; empty: nobody's.  And what he calls it, which may be empty: unique among his.
  kj::String user;
  kj::String userName;
  // KEY=VALUE each, by key, with a line feed between.
  kj::String labels;
  // There is a ConfigurationRow of it, which has so many set-up steps.
  bool isConfigured = false;
  uint32_t setupSteps = 0;
  // How many of them have ended well, as its agent has told last, and which has failed and why, one line.
  uint32_t setupDone = 0;
  kj::String setupFailure;
  Rest rest = Rest::STOPPED;
  // Of FAILED: why, one line, guest text escaped.
  kj::String failure;
  int64_t createdNanos = 0;
  // When it began to run, or ceased to, the last time; 0: it never ran.
  int64_t lastActiveNanos = 0;
  // Numbers its sleeps: memory of another number than this, or a disk, is of an earlier one, or was used.
  uint64_t sleeps = 0;
  SleepRecord sleep = {};
  // Not stored: why what is stored of it cannot be used; empty if it can.  It is FAILED then.
  kj::String damage;

  // What its disk has, or will have from the next start on.
  uint32_t promisedDiskMib() const { return kj::max(diskMib, nextDiskMib); }

  WorkspaceRow clone() const;
};

// What the agent of a workspace is configured with: stored with the workspace, never changed, and secret.  The store does not know what it says.
struct ConfigurationRow {
  kj::String workspaceId;
  kj::Array<const kj::byte> content = nullptr;

  ConfigurationRow clone() const {
    return {kj::str(workspaceId), kj::heapArray<kj::byte>(content)};
  }
};

// A lease of what a machine is known by on this host, and the boot that has it.  Its uid names it; nothing of the row is that of another
// boot.
struct MachineRow {
  uint32_t uid = 0;
  // Unique among those of workspaces.
  uint32_t cid = 0;
  // Whose machine has it; empty: nobody's, and it rests.
  kj::String workspaceId = nullptr;
  // Of the boot; empty unless a machine may run.
  kj::Array<const kj::byte> secret = nullptr;
  int64_t startedNanos = 0;
  kj::String agentVersion = nullptr;
  // Since when it rests; 0: it does not.
  int64_t releasedNanos = 0;
  // Since when the boot is paused; 0: it is not.
  int64_t pausedNanos = 0;
  // What the boot has.
  uint32_t cpus = 0;
  uint32_t memoryMib = 0;

  MachineRow clone() const;
};

// What takes several steps and is under way, at most one a workspace.  The store knows neither kinds nor steps.
struct OperationRow {
  kj::String id;
  kj::String workspaceId;
  kj::String kind;
  kj::String step;
  kj::String parameters;
  // Whose outcome is stored with its end; empty: none.
  kj::String requestId;
  // When it has failed if it has not ended, or of a stop when its grace is over; since 1970, 0: never.
  int64_t deadlineNanos = 0;
  // Who asked for it, as EventRecord has him.
  kj::String actor = nullptr;

  OperationRow clone() const;
};

// What a session's token is found by: its SHA-256.
constexpr size_t TOKEN_HASH_BYTES = 32;

// Somebody's right to a workspace for a time.  Its token, the times below it and whether it is revoked may change, and nothing else.
struct SessionRow {
  kj::String id;
  kj::String workspaceId;
  // TOKEN_HASH_BYTES, unique.
  kj::Array<const kj::byte> tokenHash = nullptr;
  // A bit for each Verb of lane.capnp, by its number.
  uint32_t verbs = 0;
  // The directory of verbs that end in `Beneath`.
  kj::Array<const kj::byte> beneath = nullptr;
  kj::String label = nullptr;
  kj::String actor = nullptr;
  // Of the client's creation, unique where it is not empty.
  kj::String requestId = nullptr;
  int64_t createdNanos = 0;
  int64_t expiresNanos = 0;
  // 0: never.
  int64_t lastUsedNanos = 0;
  // When it was; 0: it is not.  The row stays until none of its lanes is open.
  int64_t revokedNanos = 0;

  SessionRow clone() const;
};

// What is known of how a workspace is used, from one bothyd to the next.  One that has no such row was never idle, and has the policy of its tier.
struct ActivityRow {
  kj::String workspaceId;
  // Figures that it has in the place of its tier's, as IdleOverrides has them; empty: none.
  kj::String overrides = nullptr;
  // Since when nothing has kept it awake, and since when nothing of which this host knows by itself; 0: something does, or it is not known.
  int64_t idleNanos = 0;
  int64_t hostNanos = 0;
  // The rule that has acted last and what it did still stands; empty: none.  And when.
  kj::String rule = nullptr;
  int64_t ruleNanos = 0;
  // When it was told that it will expire; 0: it was not.
  int64_t warnedNanos = 0;

  ActivityRow clone() const;
};

// Keeps a workspace awake for a time.  Nothing of it changes.
struct WakeLockRow {
  kj::String id;
  kj::String workspaceId;
  // Who has taken it, for people.
  kj::String holder;
  kj::String reason;
  int64_t takenNanos = 0;
  int64_t untilNanos = 0;

  WakeLockRow clone() const;
};

// One state change of one workspace, for whoever watches.
struct EventRecord {
  uint64_t number = 0;
  // When it happened, the last time.
  int64_t timeNanos = 0;
  // How often, since `firstNanos` (0: since then): an event that changes no state and is equal to one since the last that does takes that one's
  // place, with a number of its own.
  uint32_t count = 1;
  int64_t firstNanos = 0;
  kj::String workspace;
  kj::String workspaceId;
  WorkspaceState before = WorkspaceState::CREATING;
  WorkspaceState after = WorkspaceState::CREATING;
  bool gone = false;
  Cause cause = Cause::REQUEST;
  kj::String detail;
  // Who asked for it, for people: "uid 1000", "session ID of NAME"; empty: nobody did.
  kj::String actor = nullptr;

  EventRecord clone() const;
  // It changes no state.
  bool isNotice() const { return before == after && !gone; }
};

// What came of what a client asked for.  The numbers are on disk: never changed, only added to.
enum class RequestOutcome : uint8_t {
  OPEN = 0,
  SUCCEEDED = 1,
  FAILED = 2,
  STOPPED = 3,
};

// A client's request id, what it asked for, and what came of it.
struct RequestRecord {
  kj::String requestId;
  // What was asked, as a text that is equal exactly when the requests are.
  kj::String asked;
  kj::String workspaceId;
  RequestOutcome outcome = RequestOutcome::OPEN;
  // Of a failure: numbers of the schema's Stage and StartFault, and what is told of it.
  uint8_t stage = 0;
  uint8_t fault = 0;
  kj::String message = nullptr;
  kj::String console = nullptr;

  RequestRecord clone() const;
};

}  // namespace bothy
