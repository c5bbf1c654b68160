// Workspaces that are paused or hibernated, and those that expire.

#include "control/rpc-progress.h"
#include "control/supervisor-facet.h"
#include "control/translation.h"

namespace bothy {

kj::Promise<void> SupervisorFacet::pause(PauseContext context) {
  auto found = manager.find(context.getParams().getName());
  if (found == nullptr) {
    context.getResults().initOutcome().setAbsent();
    co_return;
  }
  auto workspace = kj::mv(KJ_ASSERT_NONNULL(found));
  auto result = co_await workspace->pause(actor);
  auto outcome = context.getResults().initOutcome();
  KJ_SWITCH_ONEOF(result) {
    KJ_CASE_ONEOF(paused, Workspace::Paused) {
      teller.tell(outcome.initPaused(), workspace->view());
    }
    KJ_CASE_ONEOF(failure, Workspace::NotPaused) {
      outcome.setFailed(failure.why);
    }
    KJ_CASE_ONEOF(superseded, Superseded) {
      outcome.setNotRunning(toRpc(workspace->state()));
    }
    KJ_CASE_ONEOF(busy, Busy) {
      outcome.setNotRunning(toRpc(busy.state));
    }
    KJ_CASE_ONEOF(underway, Underway) {
      fill(outcome.initUnderway(), underway);
    }
  }
}

kj::Promise<void> SupervisorFacet::hibernate(HibernateContext context) {
  auto found = manager.find(context.getParams().getName());
  if (found == nullptr) {
    context.getResults().initOutcome().setAbsent();
    co_return;
  }
  auto workspace = kj::mv(KJ_ASSERT_NONNULL(found));
  auto result = co_await workspace->hibernate(actor);
  auto outcome = context.getResults().initOutcome();
  KJ_SWITCH_ONEOF(result) {
    KJ_CASE_ONEOF(hibernated, Workspace::Hibernated) {
      teller.tell(outcome.initHibernated(), workspace->view());
    }
    KJ_CASE_ONEOF(failure, Workspace::NotHibernated) {
      if (failure.noSpace) {
        outcome.setNoSpace(failure.why);
      } else {
        outcome.setFailed(failure.why);
      }
    }
    KJ_CASE_ONEOF(superseded, Superseded) {
      outcome.setNotRunning(toRpc(workspace->state()));
    }
    KJ_CASE_ONEOF(busy, Busy) {
      outcome.setNotRunning(toRpc(busy.state));
    }
    KJ_CASE_ONEOF(underway, Underway) {
      outcome.setUnderway(underway.why);
    }
    KJ_CASE_ONEOF(shortage, Shortage) {
      fill(outcome.initNoCapacity(), shortage);
    }
  }
}

kj::Promise<void> SupervisorFacet::resume(ResumeContext context) {
  auto found = manager.find(context.getParams().getName());
  if (found == nullptr) {
    context.getResults().initOutcome().setAbsent();
    co_return;
  }
  auto workspace = kj::mv(KJ_ASSERT_NONNULL(found));
  auto result = co_await workspace->resume(progressOf(context.getParams()), actor);
  auto outcome = context.getResults().initOutcome();
  KJ_SWITCH_ONEOF(result) {
    KJ_CASE_ONEOF(report, kj::Own<StartReport>) {
      KJ_IF_MAYBE (failure, report->failure) {
        outcome.setFailed(failure->message);
      } else {
        teller.tell(outcome.initResumed(), workspace->view());
      }
    }
    KJ_CASE_ONEOF(superseded, Superseded) {
      if (superseded.by == Wish::STOP) {
        outcome.setStopped();
      } else {
        outcome.setNotPaused(toRpc(workspace->state()));
      }
    }
    KJ_CASE_ONEOF(busy, Busy) {
      outcome.setNotPaused(toRpc(busy.state));
    }
    KJ_CASE_ONEOF(underway, Underway) {
      fill(outcome.initUnderway(), underway);
    }
    KJ_CASE_ONEOF(shortage, Shortage) {
      outcome.setFailed(shortage.why);
    }
  }
}

kj::Promise<void> SupervisorFacet::expire(ExpireContext context) {
  auto found = manager.find(context.getParams().getName());
  if (found == nullptr) {
    context.getResults().initOutcome().setAbsent();
    co_return;
  }
  auto workspace = kj::mv(KJ_ASSERT_NONNULL(found));
  auto result = co_await workspace->expire(actor);
  auto outcome = context.getResults().initOutcome();
  KJ_SWITCH_ONEOF(result) {
    KJ_CASE_ONEOF(expired, Workspace::Expired) {
      teller.tell(outcome.initExpired(), workspace->view());
    }
    KJ_CASE_ONEOF(damaged, Workspace::NotExpired) {
      outcome.setFailed(damaged.why);
    }
    KJ_CASE_ONEOF(superseded, Superseded) {
      outcome.setBusy(toRpc(workspace->state()));
    }
    KJ_CASE_ONEOF(busy, Busy) {
      outcome.setBusy(toRpc(busy.state));
    }
    KJ_CASE_ONEOF(underway, Underway) {
      fill(outcome.initUnderway(), underway);
    }
  }
}

kj::Promise<void> SupervisorFacet::whenResumed(WhenResumedContext context) {
  auto place = watches.requirePlace(client);
  auto state = rpc::WorkspaceState::DELETING;
  auto found = manager.find(context.getParams().getName());
  KJ_IF_MAYBE (workspace, found) {
    co_await (*workspace)->whenResumed();
    state = toRpc((*workspace)->state());
  }
  context.getResults().setState(state);
}

}  // namespace bothy
