#include <kj/debug.h>

#include "loop/failure-of.h"
#include "workspace/machine-configuration.h"
#include "workspace/steps.h"
#include "workspace/workspace-manager.h"

namespace bothy {
namespace {

using StepView = WorkspaceManager::SetupStepView;

// Without the step that the row's text names.
kj::StringPtr reasonOf(kj::StringPtr failure, uint32_t step, kj::StringPtr name) {
  auto which = kj::str("step ", step + 1, " (", name, "): ");
  return failure.startsWith(which) ? failure.slice(which.size()) : failure;
}

StepView viewOf(Workspace& workspace, uint32_t step, kj::StringPtr name) {
  auto& row = workspace.row();
  StepView view{kj::str(name), StepView::State::PENDING, nullptr};
  if (step < row.setupDone) {
    view.state = StepView::State::DONE;
  } else if (step == row.setupDone && row.setupFailure.size() > 0) {
    view.state = StepView::State::FAILED;
    view.detail = kj::str(reasonOf(row.setupFailure, step, name));
  } else if (step == row.setupDone && workspace.state() == WorkspaceState::RUNNING) {
    view.state = StepView::State::RUNNING;
    view.detail = kj::str(workspace.setup().line());
  }
  return view;
}

}  // namespace

kj::Promise<WorkspaceManager::SetupOutcome> WorkspaceManager::setup(kj::StringPtr name,
                                                                    SetupWish wish,
                                                                    kj::StringPtr actorParam) {
  auto actor = kj::str(actorParam);
  auto found = find(name);
  if (found == nullptr) co_return Absent();
  auto workspace = kj::mv(KJ_ASSERT_NONNULL(found));
  if (wish == SetupWish::RETRY) {
    if (workspace->machine() == nullptr) co_return NotRunning{workspace->state()};
    kj::Maybe<SetupFollower::RetryOutcome> retried;
    auto failure = co_await failureOf([&]() {
      return within(world.timer, HELLO_LIMIT, "its agent does not answer",
                    workspace->setup().retry())
          .then([&](SetupFollower::RetryOutcome&& outcome) { retried = kj::mv(outcome); });
    });
    KJ_IF_MAYBE (e, failure) co_return SetupUnknown{lineOf(*e)};
    auto& outcome = KJ_ASSERT_NONNULL(retried);
    if (outcome.is<SetupFollower::NothingFailed>()) co_return SetupFollower::NothingFailed();
    KJ_IF_MAYBE (old, outcome.tryGet<SetupFollower::AgentTooOld>()) co_return *old;
    workspace->tell(Cause::REQUEST, "the step of its set-up that has failed begins again", actor);
  }
  kj::Vector<StepView> steps;
  if (workspace->row().setupSteps > 0) {
    auto configuration = co_await readConfiguration(world, workspace->row().id);
    for (auto step : configuration->get().getSetup().getSteps()) {
      steps.add(viewOf(*workspace, steps.size(), step.getName()));
    }
  }
  co_return steps.releaseAsArray();
}

}  // namespace bothy
