#pragma once

#include "store/records.h"

namespace bothy {

// The life of a workspace, as tables without effects: README.md draws it.

// The numbers are not stored; the names (nameOf()) are, and never change.
enum class OperationKind {
  CREATE,
  START,
  STOP,
  RESIZE,
  DELETE,
  PAUSE,
  RESUME,
  EXPIRE,
  HIBERNATE,
  WAKE,  // of one that is hibernated
};
kj::StringPtr nameOf(OperationKind kind);
// nullptr: this bothyd knows no such kind.
kj::Maybe<OperationKind> operationKind(kj::StringPtr name);

// What clients see.
WorkspaceState stateOf(Rest rest, kj::Maybe<OperationKind> underWay);
// Of a row and its operation, as stored.  One that is damaged is FAILED or, while it is being deleted, DELETING.
WorkspaceState stateOf(const WorkspaceRow& row, const kj::Maybe<OperationRow>& operation);

// START of one that is paused or hibernated is RESUME, and of one that has expired CREATE.
enum class Wish { START, STOP, DELETE, RESIZE, PAUSE, RESUME, EXPIRE, HIBERNATE };

enum class Reply {
  BEGIN,      // begin it; nothing is under way
  SUPERSEDE,  // begin it in the place of what is under way
  JOIN,       // it is under way: wait for the same end, if it has the same parameters
  ALREADY,    // nothing to do
  BUSY,       // something else is under way that excludes it
};

Reply replyTo(Wish wish, WorkspaceState state);

// Whether a machine of it may be on the host.
bool mayRun(WorkspaceState state);

// Whether a machine of it has come up, and nobody has ended it: it runs, or its CPUs stand still as a client wants it.  Then it has a lease in any
// case, but for a WAKE at its beginning; in every other state it may have one, as long as something may be left of a machine.
bool isUp(WorkspaceState state);

// It is paused or hibernated, or on its way there or back.
bool isHalted(WorkspaceState state);

// Whether memory of it may be kept on the host's disk.
bool mayHaveMemory(WorkspaceState state);

// The rest while an operation of this kind is under way that began at `rest`: where it stays if nothing comes of the operation.
Rest restDuring(OperationKind kind, Rest rest);

// The rest after an operation; nullptr: after this the workspace is not there any more, or another operation comes.
enum class Outcome { SUCCEEDED, FAILED };
kj::Maybe<Rest> restAfter(OperationKind kind, Outcome outcome);

}  // namespace bothy
