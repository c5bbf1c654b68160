#include "workspace/row-difference.h"

#include <kj/debug.h>

namespace bothy {
namespace {

bool differ(const WorkspaceRow& one, const WorkspaceRow& other) {
  return one.rest != other.rest || one.failure != other.failure || one.diskMib != other.diskMib ||
         one.nextDiskMib != other.nextDiskMib || one.cpus != other.cpus ||
         one.memoryMib != other.memoryMib || one.tier != other.tier ||
         one.lastActiveNanos != other.lastActiveNanos || one.setupDone != other.setupDone ||
         one.setupFailure != other.setupFailure || one.sleeps != other.sleeps ||
         !(one.sleep == other.sleep);
}

// Of one lease.
bool differ(const MachineRow& one, const MachineRow& other) {
  return one.secret.asPtr() != other.secret.asPtr() || one.startedNanos != other.startedNanos ||
         one.agentVersion != other.agentVersion || one.pausedNanos != other.pausedNanos ||
         one.cpus != other.cpus || one.memoryMib != other.memoryMib;
}

}  // namespace

bool haveOneLease(const WorkspaceJournal::Rows& one, const WorkspaceJournal::Rows& other) {
  KJ_IF_MAYBE (a, one.machine) {
    KJ_IF_MAYBE (b, other.machine) {
      return a->uid == b->uid;
    }
  }
  return false;
}

void addDifference(Change& change, const WorkspaceJournal::Rows& before,
                   const WorkspaceJournal::Rows& after, int64_t nowNanos) {
  if (differ(before.row, after.row)) {
    change.update(after.row.clone());
  }
  if (before.machine != nullptr && !haveOneLease(before, after)) {
    change.releaseMachine(before.row.id, nowNanos);
  }
  KJ_IF_MAYBE (next, after.machine) {
    if (!haveOneLease(before, after) || differ(KJ_ASSERT_NONNULL(before.machine), *next)) {
      change.put(next->clone());
    }
  }
  KJ_IF_MAYBE (old, before.operation) {
    KJ_IF_MAYBE (next, after.operation) {
      if (old->id == next->id) {
        if (old->step != next->step) change.update(next->clone());
        return;
      }
    }
    change.removeOperation(old->id);
  }
  KJ_IF_MAYBE (next, after.operation) change.add(next->clone());
}

}  // namespace bothy
