#include <kj/debug.h>

#include "control/supervisor-facet.h"
#include "control/translation.h"

namespace bothy {
namespace {

using View = WorkspaceManager::SetupStepView;

static_assert(static_cast<int>(View::State::FAILED) ==
              static_cast<int>(rpc::SetupInfo::State::FAILED));
static_assert(static_cast<int>(View::State::RUNNING) ==
              static_cast<int>(rpc::SetupInfo::State::RUNNING));

void fill(rpc::SetupInfo::Builder info, kj::ArrayPtr<const View> views) {
  auto steps = info.initSteps(views.size());
  for (auto i : kj::indices(views)) {
    steps[i].setName(views[i].name);
    steps[i].setState(static_cast<rpc::SetupInfo::State>(views[i].state));
    steps[i].setDetail(views[i].detail);
    steps[i].setLog(kj::str(*rpc::SETUP_LOG_DIRECTORY, "/", i + 1, ".log"));
  }
}

}  // namespace

kj::Promise<void> SupervisorFacet::setup(SetupContext context) {
  using Wish = WorkspaceManager::SetupWish;
  auto params = context.getParams();
  auto result =
      co_await manager.setup(params.getName(), params.getRetry() ? Wish::RETRY : Wish::LOOK, actor);
  auto outcome = context.getResults().initOutcome();
  KJ_SWITCH_ONEOF(result) {
    KJ_CASE_ONEOF(steps, kj::Array<View>) {
      fill(outcome.initFound(), steps);
    }
    KJ_CASE_ONEOF(absent, WorkspaceManager::Absent) {
      outcome.setAbsent();
    }
    KJ_CASE_ONEOF(other, WorkspaceManager::NotRunning) {
      outcome.setNotRunning(toRpc(other.state));
    }
    KJ_CASE_ONEOF(old, SetupFollower::AgentTooOld) {
      outcome.setAgentTooOld(old.generation);
    }
    KJ_CASE_ONEOF(nothing, SetupFollower::NothingFailed) {
      outcome.setNothingFailed();
    }
    KJ_CASE_ONEOF(unknown, WorkspaceManager::SetupUnknown) {
      outcome.setFailed(unknown.why);
    }
  }
}

}  // namespace bothy
