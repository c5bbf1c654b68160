// What calls that hibernate are held to.

#include <kj/debug.h>

#include "simulation/clients.h"

namespace bothy {

bool Clients::libvirtObeys() const {
  for (auto fault : {Fault::CALL_FAILS, Fault::CALL_FAILS_LATE, Fault::CALL_SLOW, Fault::CALL_HANGS,
                     Fault::DEVICE_FAILS, Fault::DEVICE_SLOW, Fault::UNPLUG_IGNORED}) {
    if (host.fate.knows(fault)) return false;
  }
  return true;
}

kj::Promise<void> Clients::hibernate(kj::String who, kj::String name) {
  auto found = bothyd.manager().find(name);
  if (found == nullptr) co_return;
  auto& workspace = *KJ_ASSERT_NONNULL(found);
  if (replyTo(Wish::HIBERNATE, workspace.state()) == Reply::BUSY) co_return;
  auto label = host.label(workspace.row().id);
  host.trace.line(who, "hibernate ", label);
  const auto halts = ++ledger.of(workspace.row()).haltsAsked;
  const bool ran = workspace.state() == WorkspaceState::RUNNING;
  auto outcome = co_await workspace.hibernate(who);
  if (!isHeard()) co_return;
  KJ_SWITCH_ONEOF(outcome) {
    KJ_CASE_ONEOF(hibernated, Workspace::Hibernated) {
      host.trace.line(who, "is told: hibernated ", label);
      ++ledger.hibernated;
      // Nobody has asked for anything else since.
      if (workspace.state() == WorkspaceState::HIBERNATED) {
        if (host.machinery.lives(workspace.row().id)) {
          host.judge.accuse("who asked for a hibernated ", label,
                            " is told so, and a machine of it is on the host");
        }
        if (host.memories.find(workspace.row().id) == nullptr) {
          host.judge.accuse("who asked for a hibernated ", label,
                            " is told so, and its memory is nowhere");
        }
      }
    }
    KJ_CASE_ONEOF(failure, Workspace::NotHibernated) {
      host.trace.line(who, "is told: not hibernated, ", failure.why);
      if (failure.why.size() == 0) host.judge.accuse("a hibernation fails without a reason");
      if (ran && libvirtObeys() && workspace.state() == WorkspaceState::PAUSED &&
          ledger.of(workspace.row()).haltsAsked == halts) {
        host.judge.accuse(label, " ran, was not hibernated, and stands still");
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
      host.trace.line(who, "is told: no room, ", shortage.why);
    }
  }
}

}  // namespace bothy
