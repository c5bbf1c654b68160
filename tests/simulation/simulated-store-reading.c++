#include <kj/debug.h>
#include <kj/vector.h>

#include <algorithm>

#include "simulation/simulated-store.h"
#include "workspace/workspace-state.h"

namespace bothy {

StoredState SimulatedStore::state() const {
  StoredState state;
  kj::Vector<WorkspaceRow> workspaces(rows.workspaces.size());
  for (auto& entry : rows.workspaces) workspaces.add(entry.value.clone());
  std::sort(workspaces.begin(), workspaces.end(),
            [](const WorkspaceRow& a, const WorkspaceRow& b) { return a.name < b.name; });
  state.workspaces = workspaces.releaseAsArray();
  kj::Vector<MachineRow> machines;
  for (auto& entry : rows.machines) machines.add(entry.value.clone());
  state.machines = machines.releaseAsArray();
  kj::Vector<OperationRow> operations;
  for (auto& entry : rows.operations) operations.add(entry.value.clone());
  state.operations = operations.releaseAsArray();
  kj::Vector<SessionRow> sessions;
  for (auto& entry : rows.sessions) sessions.add(entry.value.clone());
  state.sessions = sessions.releaseAsArray();
  rows.activity.tell(state);
  state.lastEvent = last;
  state.epoch = epoch;
  return state;
}

kj::Maybe<RequestRecord> SimulatedStore::request(kj::StringPtr requestId) const {
  return rows.requests.find(requestId).map([](const RequestRecord& r) { return r.clone(); });
}

EventPage SimulatedStore::events(uint64_t after, size_t limit) const {
  EventPage page;
  page.through = after;
  kj::Vector<EventRecord> result;
  for (auto& event : log) {
    if (event.number <= after) continue;
    if (result.size() == limit) break;
    page.through = event.number;
    result.add(event.clone());
  }
  page.events = result.releaseAsArray();
  return page;
}

kj::Maybe<kj::Array<const kj::byte>> SimulatedStore::configuration(
    kj::StringPtr workspaceId) const {
  return rows.configurations.find(workspaceId).map([](const ConfigurationRow& row) {
    return kj::Array<const kj::byte>(kj::heapArray<kj::byte>(row.content));
  });
}

}  // namespace bothy
