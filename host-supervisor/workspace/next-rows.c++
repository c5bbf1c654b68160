// What the rows of a workspace are next.

#include <kj/debug.h>

#include "workspace/workspace-id.h"
#include "workspace/workspace-journal.h"

namespace bothy {

OperationRow newOperation(const World& world, kj::StringPtr workspaceId, OperationKind kind,
                          kj::StringPtr step, kj::StringPtr parameters, kj::StringPtr requestId) {
  OperationRow row{kj::str(WorkspaceId::generate(world.randomness).text()),
                   kj::str(workspaceId),
                   kj::str(nameOf(kind)),
                   kj::str(step),
                   kj::str(parameters),
                   kj::str(requestId)};
  if (kind == OperationKind::CREATE || kind == OperationKind::START) {
    row.deadlineNanos = nanosOf(world.clock.now() + world.deadlines.start);
  }
  return row;
}

WorkspaceJournal::Rows WorkspaceJournal::tidied(Rows rows) const {
  const auto state = stateOf(rows.row, rows.operation);
  const auto before = stateOf(now.row, now.operation);
  if (state != before && (state == WorkspaceState::RUNNING || before == WorkspaceState::RUNNING)) {
    rows.row.lastActiveNanos = nanosOf(world.clock.now());
  }
  KJ_IF_MAYBE (machine, rows.machine) {
    if (!mayRun(state)) machine->secret = nullptr;
    if (!isUp(state)) machine->agentVersion = nullptr;
    if (state != WorkspaceState::PAUSED && state != WorkspaceState::RESUMING &&
        state != WorkspaceState::HIBERNATING) {
      machine->pausedNanos = 0;
    }
  }
  // Memory that was kept is of no sleep any more.
  if (rows.row.sleep.isThere() && !mayHaveMemory(state)) {
    rows.row.sleep = {};
    ++rows.row.sleeps;
  }
  return rows;
}

WorkspaceJournal::Rows WorkspaceJournal::beginning(OperationKind kind, kj::StringPtr step,
                                                   kj::StringPtr parameters, bool inherits) {
  auto next = now.clone();
  kj::String requestId, actor;
  KJ_IF_MAYBE (before, now.operation) {
    if (inherits) requestId = kj::str(before->requestId);
    actor = kj::str(before->actor);
  }
  auto operation = newOperation(world, next.row.id, kind, step, parameters, requestId);
  operation.actor = kj::mv(actor);
  next.operation = kj::mv(operation);
  next.row.rest = restDuring(kind, next.row.rest);
  next.row.failure = nullptr;
  return tidied(kj::mv(next));
}

WorkspaceJournal::Rows askedBy(kj::StringPtr actor, WorkspaceJournal::Rows next) {
  KJ_ASSERT_NONNULL(next.operation).actor = kj::str(actor);
  return next;
}

WorkspaceJournal::Rows WorkspaceJournal::resting(Rest rest, kj::StringPtr detail) {
  auto next = now.clone();
  next.operation = nullptr;
  next.row.rest = rest;
  next.row.failure = rest == Rest::FAILED ? kj::str(detail) : nullptr;
  return tidied(kj::mv(next));
}

WorkspaceJournal::Rows WorkspaceJournal::ending(OperationKind kind, Outcome outcome,
                                                kj::StringPtr detail) {
  return resting(KJ_ASSERT_NONNULL(restAfter(kind, outcome)), detail);
}

kj::Maybe<RequestRecord> WorkspaceJournal::answer(RequestOutcome outcome) {
  KJ_IF_MAYBE (operation, now.operation) {
    if (operation->requestId.size() > 0) {
      RequestRecord record{kj::str(operation->requestId), nullptr, kj::str(now.row.id)};
      record.outcome = outcome;
      return record;
    }
  }
  return nullptr;
}

}  // namespace bothy
