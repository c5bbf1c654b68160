#include "workspace/workspace-state.h"

#include <kj/debug.h>

namespace bothy {

Reply replyTo(Wish wish, WorkspaceState state) {
  switch (wish) {
    case Wish::START:
      switch (state) {
        case WorkspaceState::STOPPED:
        case WorkspaceState::FAILED:
          return Reply::BEGIN;
        case WorkspaceState::STARTING:
          return Reply::JOIN;
        case WorkspaceState::RUNNING:
          return Reply::ALREADY;
        case WorkspaceState::CREATING:
        case WorkspaceState::STOPPING:
        case WorkspaceState::DELETING:
        case WorkspaceState::RESIZING:
          return Reply::BUSY;
      }
      break;
    case Wish::STOP:
      switch (state) {
        case WorkspaceState::RUNNING:
        case WorkspaceState::STARTING:
          return Reply::BEGIN;
        case WorkspaceState::STOPPING:
          return Reply::JOIN;
        case WorkspaceState::STOPPED:
        case WorkspaceState::FAILED:
        case WorkspaceState::RESIZING:
          return Reply::ALREADY;
        case WorkspaceState::CREATING:
        case WorkspaceState::DELETING:
          return Reply::BUSY;
      }
      break;
    case Wish::DELETE:
      return state == WorkspaceState::DELETING ? Reply::JOIN : Reply::BEGIN;
    case Wish::RESIZE:
      return state == WorkspaceState::STOPPED || state == WorkspaceState::FAILED ? Reply::BEGIN
                                                                                 : Reply::BUSY;
  }
  KJ_UNREACHABLE;
}

bool mayRun(WorkspaceState state) {
  return state == WorkspaceState::STARTING || state == WorkspaceState::RUNNING ||
         state == WorkspaceState::STOPPING;
}

kj::Maybe<WorkspaceState> stateAfter(WorkspaceState state, Happening happening) {
  using S = WorkspaceState;
  auto only = [&](S expected, S next) -> kj::Maybe<S> {
    if (state == expected) return next;
    return nullptr;
  };
  switch (happening) {
    case Happening::DISK_MADE:
      return only(S::CREATING, S::STOPPED);
    case Happening::START_BEGAN:
      if (state == S::STOPPED || state == S::FAILED) return S::STARTING;
      return nullptr;
    case Happening::AGENT_ANSWERED:
      return only(S::STARTING, S::RUNNING);
    case Happening::START_FAILED:
      return only(S::STARTING, S::FAILED);
    case Happening::STOP_BEGAN:
      if (state == S::RUNNING || state == S::STARTING) return S::STOPPING;
      return nullptr;
    case Happening::MACHINE_ENDED:
      if (state == S::RUNNING || state == S::STOPPING || state == S::STARTING) return S::STOPPED;
      return nullptr;
    case Happening::MACHINE_BROKE:
      return only(S::RUNNING, S::FAILED);
    case Happening::GUEST_REBOOTED:
      return only(S::RUNNING, S::STARTING);
    case Happening::DELETE_BEGAN:
      return S::DELETING;
    case Happening::RESIZE_BEGAN:
      if (state == S::STOPPED || state == S::FAILED) return S::RESIZING;
      return nullptr;
    case Happening::RESIZE_ENDED:
      return only(S::RESIZING, S::STOPPED);
  }
  KJ_UNREACHABLE;
}

Recovery recoveryOf(WorkspaceState state, bool machineRuns, bool rebooting) {
  switch (state) {
    case WorkspaceState::CREATING:
      return Recovery::ERASE;
    case WorkspaceState::DELETING:
      return Recovery::FINISH_DELETE;
    case WorkspaceState::STARTING:
      if (machineRuns) return Recovery::FINISH_START;
      return rebooting ? Recovery::REBOOT : Recovery::MARK_STOPPED;
    case WorkspaceState::RUNNING:
      return machineRuns ? Recovery::ADOPT : Recovery::MARK_STOPPED;
    case WorkspaceState::STOPPING:
      return machineRuns ? Recovery::FINISH_STOP : Recovery::MARK_STOPPED;
    case WorkspaceState::STOPPED:
    case WorkspaceState::FAILED:
      return Recovery::KEEP;
    case WorkspaceState::RESIZING:
      return Recovery::FINISH_RESIZE;
  }
  KJ_UNREACHABLE;
}

}  // namespace bothy
