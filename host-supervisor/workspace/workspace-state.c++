#include "workspace/workspace-state.h"

#include <kj/debug.h>

namespace bothy {
namespace {

constexpr OperationKind KINDS[] = {
    OperationKind::CREATE,    OperationKind::START, OperationKind::STOP,   OperationKind::RESIZE,
    OperationKind::DELETE,    OperationKind::PAUSE, OperationKind::RESUME, OperationKind::EXPIRE,
    OperationKind::HIBERNATE, OperationKind::WAKE};

}  // namespace

kj::StringPtr nameOf(OperationKind kind) {
  switch (kind) {
    case OperationKind::CREATE:
      return "create";
    case OperationKind::START:
      return "start";
    case OperationKind::STOP:
      return "stop";
    case OperationKind::RESIZE:
      return "resize";
    case OperationKind::DELETE:
      return "delete";
    case OperationKind::PAUSE:
      return "pause";
    case OperationKind::RESUME:
      return "resume";
    case OperationKind::EXPIRE:
      return "expire";
    case OperationKind::HIBERNATE:
      return "hibernate";
    case OperationKind::WAKE:
      return "wake";
  }
  KJ_UNREACHABLE;
}

kj::Maybe<OperationKind> operationKind(kj::StringPtr name) {
  for (auto kind : KINDS) {
    if (nameOf(kind) == name) return kind;
  }
  return nullptr;
}

WorkspaceState stateOf(Rest rest, kj::Maybe<OperationKind> underWay) {
  KJ_IF_MAYBE (kind, underWay) {
    switch (*kind) {
      case OperationKind::CREATE:
        return WorkspaceState::CREATING;
      case OperationKind::START:
        return WorkspaceState::STARTING;
      case OperationKind::STOP:
        return WorkspaceState::STOPPING;
      case OperationKind::RESIZE:
        return WorkspaceState::RESIZING;
      case OperationKind::DELETE:
        return WorkspaceState::DELETING;
      case OperationKind::PAUSE:
        return WorkspaceState::PAUSING;
      case OperationKind::RESUME:
      case OperationKind::WAKE:
        return WorkspaceState::RESUMING;
      case OperationKind::EXPIRE:
        return WorkspaceState::EXPIRING;
      case OperationKind::HIBERNATE:
        return WorkspaceState::HIBERNATING;
    }
    KJ_UNREACHABLE;
  }
  switch (rest) {
    case Rest::STOPPED:
      return WorkspaceState::STOPPED;
    case Rest::RUNNING:
      return WorkspaceState::RUNNING;
    case Rest::FAILED:
      return WorkspaceState::FAILED;
    case Rest::PAUSED:
      return WorkspaceState::PAUSED;
    case Rest::EXPIRED:
      return WorkspaceState::EXPIRED;
    case Rest::HIBERNATED:
      return WorkspaceState::HIBERNATED;
  }
  KJ_UNREACHABLE;
}

WorkspaceState stateOf(const WorkspaceRow& row, const kj::Maybe<OperationRow>& operation) {
  kj::Maybe<OperationKind> kind;
  KJ_IF_MAYBE (o, operation) kind = operationKind(o->kind);
  if (row.damage.size() > 0 && kind.orDefault(OperationKind::START) != OperationKind::DELETE) {
    return WorkspaceState::FAILED;
  }
  return stateOf(row.rest, kind);
}

Reply replyTo(Wish wish, WorkspaceState state) {
  switch (wish) {
    case Wish::START:
      switch (state) {
        case WorkspaceState::STOPPED:
        case WorkspaceState::FAILED:
        case WorkspaceState::PAUSED:
        case WorkspaceState::EXPIRED:
        case WorkspaceState::HIBERNATED:
          return Reply::BEGIN;
        case WorkspaceState::STARTING:
        case WorkspaceState::RESUMING:
          return Reply::JOIN;
        case WorkspaceState::RUNNING:
          return Reply::ALREADY;
        case WorkspaceState::CREATING:
        case WorkspaceState::STOPPING:
        case WorkspaceState::DELETING:
        case WorkspaceState::RESIZING:
        case WorkspaceState::PAUSING:
        case WorkspaceState::EXPIRING:
        case WorkspaceState::HIBERNATING:
          return Reply::BUSY;
      }
      break;
    case Wish::STOP:
      switch (state) {
        case WorkspaceState::RUNNING:
        case WorkspaceState::PAUSED:
        case WorkspaceState::HIBERNATED:
          return Reply::BEGIN;
        case WorkspaceState::STARTING:
        case WorkspaceState::PAUSING:
        case WorkspaceState::RESUMING:
        case WorkspaceState::HIBERNATING:
          return Reply::SUPERSEDE;
        case WorkspaceState::STOPPING:
          return Reply::JOIN;
        case WorkspaceState::STOPPED:
        case WorkspaceState::FAILED:
        case WorkspaceState::RESIZING:
        case WorkspaceState::EXPIRED:
        case WorkspaceState::EXPIRING:
          return Reply::ALREADY;
        case WorkspaceState::CREATING:
        case WorkspaceState::DELETING:
          return Reply::BUSY;
      }
      break;
    case Wish::DELETE:
      switch (state) {
        case WorkspaceState::STOPPED:
        case WorkspaceState::FAILED:
        case WorkspaceState::RUNNING:
        case WorkspaceState::PAUSED:
        case WorkspaceState::EXPIRED:
        case WorkspaceState::HIBERNATED:
          return Reply::BEGIN;
        case WorkspaceState::CREATING:
        case WorkspaceState::STARTING:
        case WorkspaceState::STOPPING:
        case WorkspaceState::RESIZING:
        case WorkspaceState::PAUSING:
        case WorkspaceState::RESUMING:
        case WorkspaceState::EXPIRING:
        case WorkspaceState::HIBERNATING:
          return Reply::SUPERSEDE;
        case WorkspaceState::DELETING:
          return Reply::JOIN;
      }
      break;
    case Wish::RESIZE:
      switch (state) {
        case WorkspaceState::STOPPED:
        case WorkspaceState::FAILED:
          return Reply::BEGIN;
        case WorkspaceState::RESIZING:
          return Reply::JOIN;
        case WorkspaceState::CREATING:
        case WorkspaceState::STARTING:
        case WorkspaceState::RUNNING:
        case WorkspaceState::STOPPING:
        case WorkspaceState::DELETING:
        case WorkspaceState::PAUSED:
        case WorkspaceState::PAUSING:
        case WorkspaceState::RESUMING:
        case WorkspaceState::EXPIRED:
        case WorkspaceState::EXPIRING:
        case WorkspaceState::HIBERNATED:
        case WorkspaceState::HIBERNATING:
          return Reply::BUSY;
      }
      break;
    case Wish::PAUSE:
      switch (state) {
        case WorkspaceState::RUNNING:
          return Reply::BEGIN;
        case WorkspaceState::PAUSING:
          return Reply::JOIN;
        case WorkspaceState::PAUSED:
          return Reply::ALREADY;
        case WorkspaceState::CREATING:
        case WorkspaceState::STOPPED:
        case WorkspaceState::STARTING:
        case WorkspaceState::STOPPING:
        case WorkspaceState::DELETING:
        case WorkspaceState::FAILED:
        case WorkspaceState::RESIZING:
        case WorkspaceState::RESUMING:
        case WorkspaceState::EXPIRED:
        case WorkspaceState::EXPIRING:
        case WorkspaceState::HIBERNATED:
        case WorkspaceState::HIBERNATING:
          return Reply::BUSY;
      }
      break;
    case Wish::RESUME:
      switch (state) {
        case WorkspaceState::PAUSED:
        case WorkspaceState::HIBERNATED:
          return Reply::BEGIN;
        case WorkspaceState::RESUMING:
          return Reply::JOIN;
        case WorkspaceState::RUNNING:
          return Reply::ALREADY;
        case WorkspaceState::CREATING:
        case WorkspaceState::STOPPED:
        case WorkspaceState::STARTING:
        case WorkspaceState::STOPPING:
        case WorkspaceState::DELETING:
        case WorkspaceState::FAILED:
        case WorkspaceState::RESIZING:
        case WorkspaceState::PAUSING:
        case WorkspaceState::EXPIRED:
        case WorkspaceState::EXPIRING:
        case WorkspaceState::HIBERNATING:
          return Reply::BUSY;
      }
      break;
    case Wish::EXPIRE:
      switch (state) {
        case WorkspaceState::STOPPED:
        case WorkspaceState::FAILED:
        case WorkspaceState::HIBERNATED:
          return Reply::BEGIN;
        case WorkspaceState::EXPIRING:
          return Reply::JOIN;
        case WorkspaceState::EXPIRED:
          return Reply::ALREADY;
        case WorkspaceState::CREATING:
        case WorkspaceState::STARTING:
        case WorkspaceState::RUNNING:
        case WorkspaceState::STOPPING:
        case WorkspaceState::DELETING:
        case WorkspaceState::RESIZING:
        case WorkspaceState::PAUSED:
        case WorkspaceState::PAUSING:
        case WorkspaceState::RESUMING:
        case WorkspaceState::HIBERNATING:
          return Reply::BUSY;
      }
      break;
    case Wish::HIBERNATE:
      switch (state) {
        case WorkspaceState::RUNNING:
        case WorkspaceState::PAUSED:
          return Reply::BEGIN;
        case WorkspaceState::HIBERNATING:
          return Reply::JOIN;
        case WorkspaceState::HIBERNATED:
          return Reply::ALREADY;
        case WorkspaceState::CREATING:
        case WorkspaceState::STOPPED:
        case WorkspaceState::STARTING:
        case WorkspaceState::STOPPING:
        case WorkspaceState::DELETING:
        case WorkspaceState::FAILED:
        case WorkspaceState::RESIZING:
        case WorkspaceState::PAUSING:
        case WorkspaceState::RESUMING:
        case WorkspaceState::EXPIRED:
        case WorkspaceState::EXPIRING:
          return Reply::BUSY;
      }
      break;
  }
  KJ_UNREACHABLE;
}

bool mayRun(WorkspaceState state) {
  return state == WorkspaceState::STARTING || state == WorkspaceState::STOPPING || isUp(state);
}

bool isUp(WorkspaceState state) {
  return state == WorkspaceState::RUNNING ||
         (isHalted(state) && state != WorkspaceState::HIBERNATED);
}

bool isHalted(WorkspaceState state) {
  return state == WorkspaceState::PAUSED || state == WorkspaceState::PAUSING ||
         state == WorkspaceState::RESUMING || state == WorkspaceState::HIBERNATED ||
         state == WorkspaceState::HIBERNATING;
}

bool mayHaveMemory(WorkspaceState state) {
  return state == WorkspaceState::HIBERNATED || state == WorkspaceState::HIBERNATING ||
         state == WorkspaceState::RESUMING;
}

Rest restDuring(OperationKind kind, Rest rest) {
  switch (kind) {
    case OperationKind::CREATE:
    case OperationKind::START:
    case OperationKind::RESIZE:
      // What had failed before has no say any more.
      return Rest::STOPPED;
    case OperationKind::STOP:
    case OperationKind::DELETE:
    case OperationKind::PAUSE:
    case OperationKind::RESUME:
    case OperationKind::HIBERNATE:
    case OperationKind::WAKE:
      return rest;
    case OperationKind::EXPIRE:
      // Its key goes first.
      return Rest::EXPIRED;
  }
  KJ_UNREACHABLE;
}

kj::Maybe<Rest> restAfter(OperationKind kind, Outcome outcome) {
  switch (kind) {
    case OperationKind::CREATE:
      if (outcome == Outcome::FAILED) return nullptr;
      return Rest::STOPPED;
    case OperationKind::START:
      return outcome == Outcome::SUCCEEDED ? Rest::RUNNING : Rest::FAILED;
    case OperationKind::STOP:
      return outcome == Outcome::SUCCEEDED ? Rest::STOPPED : Rest::FAILED;
    case OperationKind::RESIZE:
      return Rest::STOPPED;
    case OperationKind::DELETE:
      return nullptr;
    case OperationKind::PAUSE:
      return outcome == Outcome::SUCCEEDED ? Rest::PAUSED : Rest::RUNNING;
    case OperationKind::RESUME:
      return outcome == Outcome::SUCCEEDED ? Rest::RUNNING : Rest::PAUSED;
    case OperationKind::EXPIRE:
      return Rest::EXPIRED;
    case OperationKind::HIBERNATE:
      return outcome == Outcome::SUCCEEDED ? Rest::HIBERNATED : Rest::RUNNING;
    case OperationKind::WAKE:
      return outcome == Outcome::SUCCEEDED ? Rest::RUNNING : Rest::HIBERNATED;
  }
  KJ_UNREACHABLE;
}

}  // namespace bothy
