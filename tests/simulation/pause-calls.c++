// What calls that pause and resume are held to.

#include <kj/debug.h>

#include "simulation/clients.h"

namespace bothy {

kj::Promise<void> Clients::pause(kj::String who, kj::String name) {
  auto found = bothyd.manager().find(name);
  if (found == nullptr) co_return;
  auto& workspace = *KJ_ASSERT_NONNULL(found);
  if (replyTo(Wish::PAUSE, workspace.state()) == Reply::BUSY) co_return;
  auto label = host.label(workspace.row().id);
  host.trace.line(who, "pause ", label);
  const auto asked = ++ledger.of(workspace.row()).haltsAsked;
  auto outcome = co_await workspace.pause(who);
  if (!isHeard()) co_return;
  KJ_SWITCH_ONEOF(outcome) {
    KJ_CASE_ONEOF(paused, Workspace::Paused) {
      host.trace.line(who, "is told: paused ", label);
      ++ledger.paused;
      // Nobody has asked for anything else since; and its end, or what libvirt does late, comes when it comes.
      const bool isUntouched = ledger.of(workspace.row()).haltsAsked == asked &&
                               workspace.state() == WorkspaceState::PAUSED &&
                               workspace.unreachable().size() == 0;
      KJ_IF_MAYBE (machine, host.machines.find(workspace.row().id)) {
        if (isUntouched && (*machine)->phase() == SimulatedMachine::Phase::RUNS &&
            !(*machine)->standsStill()) {
          host.judge.accuse("who asked for a paused ", label, " is told so, and it runs");
        }
      }
    }
    KJ_CASE_ONEOF(failure, Workspace::NotPaused) {
      host.trace.line(who, "is told: not paused, ", failure.why);
      if (failure.why.size() == 0) host.judge.accuse("a pause fails without a reason");
    }
    KJ_CASE_ONEOF(superseded, Superseded) {
      host.trace.line(who, "is told: superseded");
    }
    KJ_CASE_ONEOF(busy, Busy) {
      host.trace.line(who, "is told: busy");
    }
    KJ_CASE_ONEOF(underway, Underway) {
      examine(who, underway);
    }
  }
}

kj::Promise<void> Clients::resume(kj::String who, kj::String name) {
  auto found = bothyd.manager().find(name);
  if (found == nullptr) co_return;
  auto& workspace = *KJ_ASSERT_NONNULL(found);
  const bool wakes = host.fate.oneIn(2);
  if (!wakes && replyTo(Wish::RESUME, workspace.state()) == Reply::BUSY) co_return;
  auto label = host.label(workspace.row().id);
  host.trace.line(who, wakes ? "wake " : "resume ", label);
  ++ledger.of(workspace.row()).haltsAsked;
  const bool mayBeExpired = workspace.row().rest == Rest::EXPIRED;
  const bool wasHibernated = workspace.state() == WorkspaceState::HIBERNATED ||
                             workspace.state() == WorkspaceState::HIBERNATING;
  if (wasHibernated && host.fate.strikes(Fault::MEMORY_PUT_BACK)) {
    host.putMemoryBack(workspace.row().id);
  }
  if (wakes && mayBeExpired) {
    // It is a start.
    auto& facts = ledger.of(workspace.row());
    facts.isOff = false;
    ++facts.startsAsked;
  }
  auto outcome = co_await (wakes ? workspace.wake(nullptr, who) : workspace.resume(nullptr, who));
  if (!isHeard()) co_return;
  KJ_SWITCH_ONEOF(outcome) {
    KJ_CASE_ONEOF(report, kj::Own<StartReport>) {
      KJ_IF_MAYBE (failure, report->failure) {
        examine(who, *failure);
      } else {
        host.trace.line(who, "is told: resumed ", label);
        ++ledger.resumed;
      }
    }
    KJ_CASE_ONEOF(superseded, Superseded) {
      host.trace.line(who, "is told: superseded");
    }
    KJ_CASE_ONEOF(busy, Busy) {
      host.trace.line(who, "is told: busy");
    }
    KJ_CASE_ONEOF(underway, Underway) {
      examine(who, underway);
    }
    KJ_CASE_ONEOF(shortage, Shortage) {
      if (!mayBeExpired && !wasHibernated) {
        host.judge.accuse(who, " is told that there is no room for ", label, ", which has its own");
      }
      examine(who, shortage);
    }
  }
}

}  // namespace bothy
