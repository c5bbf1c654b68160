#pragma once

#include <kj/one-of.h>
#include <kj/vector.h>

#include "store/records.h"

namespace bothy {

// What is to be stored together, or not at all: steps, carried out in their order, and events of them.
struct Change {
  // The row's key is new, and so is what is unique in it.
  template <typename Row>
  struct Add {
    Row row;
  };
  // A row of that key exists.  What never changes of it is not looked at, and neither is a session's token.
  template <typename Row>
  struct Update {
    Row row;
  };
  // The lease has this row from now on.  Refused where another workspace has it, or this one has another.
  struct PutMachine {
    MachineRow row;
  };
  // Of a workspace that has a lease: it rests from then on, and keeps nothing of the boot that had it.
  struct ReleaseMachine {
    kj::String workspaceId;
    int64_t releasedNanos;
  };
  // Together with its configuration, operation, request ids, sessions and what keeps it awake; a lease that it has is released.
  struct RemoveWorkspace {
    kj::String id;
    int64_t releasedNanos;
  };
  struct RemoveOperation {
    kj::String id;
  };
  // The session is found by this one from then on.
  struct ReplaceToken {
    kj::String sessionId;
    kj::Array<const kj::byte> hash;
  };
  struct RemoveSession {
    kj::String id;
  };
  // The workspace has this row from now on.
  struct PutActivity {
    ActivityRow row;
  };
  struct AddWakeLock {
    WakeLockRow row;
  };
  struct RemoveWakeLock {
    kj::String id;
  };
  // Of what keeps workspaces awake, which is part of no state.
  using ActivityStep = kj::OneOf<PutActivity, AddWakeLock, RemoveWakeLock>;
  using Step =
      kj::OneOf<Add<WorkspaceRow>, Add<OperationRow>, Add<RequestRecord>, Add<SessionRow>,
                Add<ConfigurationRow>, Update<WorkspaceRow>, Update<OperationRow>,
                Update<RequestRecord>, Update<SessionRow>, PutMachine, ReleaseMachine,
                RemoveWorkspace, RemoveOperation, ReplaceToken, RemoveSession, ActivityStep>;

  kj::Vector<Step> steps;
  // The store numbers them, and counts those that are equal (EventRecord).
  kj::Vector<EventRecord> events;

  template <typename Row>
  Change& add(Row row) {
    append(steps, Step(Add<Row>{kj::mv(row)}));
    return *this;
  }
  template <typename Row>
  Change& update(Row row) {
    append(steps, Step(Update<Row>{kj::mv(row)}));
    return *this;
  }
  Change& put(MachineRow row) {
    append(steps, Step(PutMachine{kj::mv(row)}));
    return *this;
  }
  Change& releaseMachine(kj::StringPtr workspaceId, int64_t nanos) {
    append(steps, Step(ReleaseMachine{kj::str(workspaceId), nanos}));
    return *this;
  }
  Change& removeWorkspace(kj::StringPtr id, int64_t nanos) {
    append(steps, Step(RemoveWorkspace{kj::str(id), nanos}));
    return *this;
  }
  Change& removeOperation(kj::StringPtr id) {
    append(steps, Step(RemoveOperation{kj::str(id)}));
    return *this;
  }
  Change& replaceToken(kj::StringPtr sessionId, kj::Array<const kj::byte> hash) {
    append(steps, Step(ReplaceToken{kj::str(sessionId), kj::mv(hash)}));
    return *this;
  }
  Change& removeSession(kj::StringPtr id) {
    append(steps, Step(RemoveSession{kj::str(id)}));
    return *this;
  }
  Change& put(ActivityRow row) {
    append(steps, Step(ActivityStep(PutActivity{kj::mv(row)})));
    return *this;
  }
  Change& add(WakeLockRow row) {
    append(steps, Step(ActivityStep(AddWakeLock{kj::mv(row)})));
    return *this;
  }
  Change& removeWakeLock(kj::StringPtr id) {
    append(steps, Step(ActivityStep(RemoveWakeLock{kj::str(id)})));
    return *this;
  }
  Change& tell(EventRecord event) {
    append(events, kj::mv(event));
    return *this;
  }

private:
  // Most changes have one of each: a vector would begin with room for four.
  template <typename T>
  static void append(kj::Vector<T>& list, T element) {
    if (list.empty()) list.reserve(1);
    list.add(kj::mv(element));
  }
};

}  // namespace bothy
