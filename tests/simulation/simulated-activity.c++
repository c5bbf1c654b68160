#include "simulation/simulated-activity.h"

namespace bothy {

SimulatedActivity SimulatedActivity::clone() const {
  SimulatedActivity copy;
  for (auto& entry : activities) copy.activities.insert(kj::str(entry.key), entry.value.clone());
  for (auto& entry : locks) copy.locks.insert(kj::str(entry.key), entry.value.clone());
  return copy;
}

bool SimulatedActivity::apply(const Change::ActivityStep& step,
                              const kj::TreeMap<kj::String, WorkspaceRow>& workspaces) {
  KJ_SWITCH_ONEOF(step) {
    KJ_CASE_ONEOF(put, Change::PutActivity) {
      if (workspaces.find(put.row.workspaceId) == nullptr) return false;
      activities.upsert(kj::str(put.row.workspaceId), put.row.clone(),
                        [](ActivityRow& known, ActivityRow&& next) { known = kj::mv(next); });
      return true;
    }
    KJ_CASE_ONEOF(add, Change::AddWakeLock) {
      if (workspaces.find(add.row.workspaceId) == nullptr) return false;
      if (locks.find(add.row.id) != nullptr) return false;
      locks.insert(kj::str(add.row.id), add.row.clone());
      return true;
    }
    KJ_CASE_ONEOF(remove, Change::RemoveWakeLock) {
      return locks.erase(remove.id);
    }
  }
  KJ_UNREACHABLE;
}

void SimulatedActivity::eraseOf(kj::StringPtr workspaceId) {
  activities.erase(workspaceId);
  kj::Vector<kj::String> gone;
  for (auto& entry : locks) {
    if (entry.value.workspaceId == workspaceId) gone.add(kj::str(entry.key));
  }
  for (auto& id : gone) locks.erase(id);
}

void SimulatedActivity::tell(StoredState& state) const {
  kj::Vector<ActivityRow> rows;
  for (auto& entry : activities) rows.add(entry.value.clone());
  state.activities = rows.releaseAsArray();
  kj::Vector<WakeLockRow> found;
  for (auto& entry : locks) found.add(entry.value.clone());
  state.wakeLocks = found.releaseAsArray();
}

}  // namespace bothy
