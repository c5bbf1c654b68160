#include "control/workspace-teller.h"

#include "control/translation.h"
#include "workspace/given-configuration.h"

namespace bothy {

void WorkspaceTeller::tell(rpc::WorkspaceInfo::Builder info, const WorkspaceView& view) const {
  auto spec = info.initSpec();
  spec.setName(view.name);
  spec.setImage(view.image);
  spec.setCpus(view.cpus);
  spec.setMemoryMib(view.memoryMib);
  spec.setDiskMib(view.diskMib);
  spec.setTier(view.tier);
  auto pairs = splitLabels(view.labels);
  auto labels = spec.initLabels(pairs.size());
  for (auto i : kj::indices(pairs)) {
    labels[i].setKey(kj::heapString(pairs[i].key));
    labels[i].setValue(kj::heapString(pairs[i].value));
  }
  auto setup = info.getSetup();
  setup.setSteps(view.setupSteps);
  setup.setDone(view.setupDone);
  setup.setFailed(view.setupFailure);
  info.setId(view.id);
  KJ_IF_MAYBE (next, view.atNextStart) {
    auto figures = info.initAtNextStart();
    figures.setCpus(next->cpus);
    figures.setMemoryMib(next->memoryMib);
    figures.setDiskMib(next->diskMib);
  }
  info.setState(toRpc(view.state));
  info.setFailure(view.failure);
  info.setCreatedNanos(view.createdNanos);
  info.setStartedNanos(view.startedNanos);
  info.setPausedNanos(view.pausedNanos);
  info.setUser(view.user);
  info.setNameOfUser(view.userName);
  info.setLastActiveNanos(view.lastActiveNanos);
  info.setHost(view.host);
  info.setPausesNanos(activity.announcedPause(view.id));
  if (view.state == WorkspaceState::HIBERNATED) {
    info.setHibernatedNanos(view.sleep.sinceNanos);
    info.setSavedBytes(view.sleep.bytes);
  }
  if (!isUp(view.state)) return;
  info.setAgentVersion(view.agentVersion);
  info.setAccelerator(acceleratorName(abilities));
  if (view.isStalled) info.setStalled(STALL_REASON);
  info.setUnreachable(view.unreachable);
  KJ_IF_MAYBE (seen, view.activity) {
    auto told = info.initActivity();
    KJ_IF_MAYBE (since, seen->sinceInput) {
      told.getInput().setSinceMillis(*since / kj::MILLISECONDS);
    }
    told.setCommands(seen->commands);
    told.setTerminals(seen->terminals);
  }
}

void WorkspaceTeller::tell(rpc::Supervisor::StartOutcome::Builder outcome,
                           const WorkspaceView& view, const Workspace::StartOutcome& from) const {
  KJ_SWITCH_ONEOF(from) {
    KJ_CASE_ONEOF(report, kj::Own<StartReport>) {
      KJ_IF_MAYBE (failure, report->failure) {
        fill(outcome.initFailed(), *failure);
      } else {
        tell(outcome.initStarted(), view);
      }
    }
    KJ_CASE_ONEOF(superseded, Superseded) {
      if (superseded.by == Wish::STOP) {
        outcome.setStopped();
      } else {
        outcome.setBusy(toRpc(view.state));
      }
    }
    KJ_CASE_ONEOF(busy, Busy) {
      outcome.setBusy(toRpc(busy.state));
    }
    KJ_CASE_ONEOF(underway, Underway) {
      fill(outcome.initUnderway(), underway);
    }
    KJ_CASE_ONEOF(shortage, Shortage) {
      fill(outcome.initNoCapacity(), shortage);
    }
  }
}

WorkspaceView WorkspaceTeller::forSession(WorkspaceView view, const SessionRights& rights) {
  view.user = nullptr;
  view.userName = nullptr;
  view.labels = nullptr;
  view.host = nullptr;
  if (view.setupFailure.size() > 0 && !rights.maySeeSetup())
    view.setupFailure = "a step has failed";
  return view;
}

}  // namespace bothy
