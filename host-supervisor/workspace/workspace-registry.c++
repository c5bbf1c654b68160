#include "workspace/workspace-registry.h"

#include <kj/debug.h>
#include <kj/map.h>

#include "workspace/given-configuration.h"

namespace bothy {

WorkspaceRegistry::WorkspaceRegistry(World& world, MachineLeases& leases, HostCapacity& capacity)
    : world(world), leases(leases), capacity(capacity), tasks(*this) {}

WorkspaceRegistry::~WorkspaceRegistry() noexcept(false) {
  for (auto& entry : entries) {
    KJ_IF_MAYBE (workspace, entry.object()) workspace->disown();
  }
}

void WorkspaceRegistry::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "a task of a workspace failed", exception.getDescription());
}

kj::Vector<kj::Own<Workspace>> WorkspaceRegistry::enter(const StoredState& state) {
  kj::HashMap<kj::StringPtr, const MachineRow*> machines;
  for (auto& machine : state.machines) {
    if (machine.workspaceId.size() > 0) machines.insert(machine.workspaceId, &machine);
  }
  kj::HashMap<kj::StringPtr, const OperationRow*> operations;
  for (auto& operation : state.operations) operations.insert(operation.workspaceId, &operation);
  kj::Vector<kj::Own<Workspace>> unsettled;
  for (auto& row : state.workspaces) {
    auto machine = machines.find(row.id);
    auto operation = operations.find(row.id);
    if (machine == nullptr && operation == nullptr && !isUp(stateOf(row.rest, nullptr))) {
      capacity.add(entries.insert(WorkspaceEntry(row, nullptr)).demand());
      continue;
    }
    WorkspaceJournal::Rows rows{row.clone(), nullptr, nullptr};
    KJ_IF_MAYBE (found, machine) rows.machine = (*found)->clone();
    KJ_IF_MAYBE (found, operation) rows.operation = (*found)->clone();
    unsettled.add(add(kj::mv(rows)));
  }
  return unsettled;
}

kj::Own<Workspace> WorkspaceRegistry::add(WorkspaceJournal::Rows rows) {
  auto& entry = entries.insert(WorkspaceEntry(rows.row, rows.machine));
  auto workspace = kj::refcounted<Workspace>(world, owner(), leases, capacity, kj::mv(rows));
  entry.enter(*workspace);
  ++objectCount;
  changed(*workspace);
  return workspace;
}

// ---------------------------------------------------------------------------------------------
// Looking up

kj::Own<Workspace> WorkspaceRegistry::objectOf(WorkspaceEntry& entry) {
  KJ_IF_MAYBE (workspace, entry.object()) {
    return workspace->addRef();
  }
  auto workspace = kj::refcounted<Workspace>(world, owner(), leases, capacity, entry.rows());
  // The object counts from here on.
  capacity.remove(entry.demand());
  entry.enter(*workspace);
  ++objectCount;
  return workspace;
}

kj::Maybe<kj::Own<Workspace>> WorkspaceRegistry::find(kj::StringPtr name) {
  return entries.find<BY_NAME>(name).map([this](WorkspaceEntry& entry) { return objectOf(entry); });
}

kj::Maybe<kj::Own<Workspace>> WorkspaceRegistry::byId(kj::StringPtr id) {
  return entries.find<BY_ID>(id).map([this](WorkspaceEntry& entry) { return objectOf(entry); });
}

kj::Maybe<kj::Own<Workspace>> WorkspaceRegistry::ofUser(kj::StringPtr user, kj::StringPtr name) {
  if (user.size() == 0) return nullptr;
  return entries.find<BY_USER>(UserKey{user, name, nullptr}).map([this](WorkspaceEntry& entry) {
    return objectOf(entry);
  });
}

kj::Maybe<Workspace&> WorkspaceRegistry::present(kj::StringPtr id) {
  KJ_IF_MAYBE (entry, entries.find<BY_ID>(id)) {
    return entry->object();
  }
  return nullptr;
}

kj::Maybe<WorkspaceView> WorkspaceRegistry::view(kj::StringPtr name) {
  return entries.find<BY_NAME>(name).map(
      [this](WorkspaceEntry& entry) { return entry.view(world.hostName); });
}

kj::Maybe<WorkspaceView> WorkspaceRegistry::viewById(kj::StringPtr id) {
  return entries.find<BY_ID>(id).map(
      [this](WorkspaceEntry& entry) { return entry.view(world.hostName); });
}

ListPage WorkspaceRegistry::list(const ListQuery& query) {
  const auto limit = kj::min(query.limit, ListQuery::MAX_PAGE);
  const auto first = query.after < query.prefix ? query.prefix : query.after;
  ListPage page;
  kj::Vector<WorkspaceView> found;
  size_t lookedAt = 0;
  kj::StringPtr last;
  for (auto at = entries.seek<BY_NAME>(first); at != entries.ordered<BY_NAME>().end(); ++at) {
    auto& entry = *at;
    const auto name = entry.name();
    if (!name.startsWith(query.prefix)) break;
    if (query.after.size() > 0 && name == query.after) continue;
    if (found.size() >= limit || lookedAt >= MAX_LOOKED_AT) {
      page.next = last;
      break;
    }
    last = name;
    ++lookedAt;
    auto view = entry.view(world.hostName);
    const bool isInState = query.states == 0 || (query.states & listBit(view.state)) != 0;
    if (isInState && hasLabels(view.labels, query.labels)) found.add(view);
  }
  page.workspaces = found.releaseAsArray();
  return page;
}

UserPage WorkspaceRegistry::listOfUsers(const UserQuery& query) {
  const auto limit = kj::min(query.limit, ListQuery::MAX_PAGE);
  const bool isOfOne = query.user.size() > 0;
  // Behind those of nobody, whose users' names are empty.
  UserKey first{isOfOne ? query.user : "\x01"_kj, nullptr, nullptr};
  KJ_IF_MAYBE (after, query.after) {
    const UserKey behind{after->user, after->name, nullptr};
    if (first < behind) first = behind;
  }
  UserPage page;
  kj::Vector<WorkspaceView> found;
  for (auto at = entries.seek<BY_USER>(first); at != entries.ordered<BY_USER>().end(); ++at) {
    auto& entry = *at;
    if (isOfOne && entry.user() != query.user) break;
    KJ_IF_MAYBE (after, query.after) {
      if (entry.user() == after->user && entry.userName() == after->name) continue;
    }
    if (found.size() >= limit) {
      page.next = UserQuery::Place{found.back().user, found.back().userName};
      break;
    }
    found.add(entry.view(world.hostName));
  }
  page.workspaces = found.releaseAsArray();
  return page;
}

// ---------------------------------------------------------------------------------------------
// Objects

void WorkspaceRegistry::changed(Workspace& workspace) {
  auto& id = workspace.row().id;
  KJ_IF_MAYBE (entry, entries.find<BY_ID>(id)) {
    if (!workspace.isIdle()) {
      if (entry->busy == nullptr) entry->busy = workspace.addRef();
    } else if (entry->busy != nullptr) {
      // It is still within a call of its own.
      tasks.add(kj::evalLast([this, id = kj::str(id)]() { releaseIfIdle(id); }));
    }
  }
}

void WorkspaceRegistry::releaseIfIdle(kj::StringPtr id) {
  KJ_IF_MAYBE (entry, entries.find<BY_ID>(id)) {
    KJ_IF_MAYBE (workspace, entry->object()) {
      if (!workspace->isIdle()) return;
      // Its end is reported to the entry.
      auto last = kj::mv(entry->busy);
    }
  }
}

void WorkspaceRegistry::released(Workspace& workspace, const WorkspaceJournal::Rows& rows) {
  KJ_IF_MAYBE (entry, entries.find<BY_ID>(rows.row.id)) {
    entry->leave(rows.row, rows.machine);
    capacity.add(entry->demand());
    --objectCount;
  }
}

void WorkspaceRegistry::gone(Workspace& workspace) {
  KJ_IF_MAYBE (entry, entries.find<BY_ID>(workspace.row().id)) {
    graves.add(workspace.addRef());
    --objectCount;
    entries.erase(*entry);
    goneListener(workspace.row().id);
    // It is still within a call of its own.
    tasks.add(kj::evalLast([this]() { graves.clear(); }));
  }
}

void WorkspaceRegistry::keep(kj::Promise<void> work) {
  tasks.add(kj::mv(work));
}

}  // namespace bothy
