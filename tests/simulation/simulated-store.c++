#include "simulation/simulated-store.h"

#include <kj/debug.h>
#include <kj/vector.h>

#include <algorithm>

#include "simulation/state-ways.h"
#include "workspace/workspace-state.h"

namespace bothy {
namespace {

kj::String copyOf(const kj::String& key) {
  return kj::str(key);
}
uint32_t copyOf(uint32_t key) {
  return key;
}
template <typename Key, typename Row>
kj::TreeMap<Key, Row> copyOf(const kj::TreeMap<Key, Row>& map) {
  kj::TreeMap<Key, Row> result;
  for (auto& entry : map) result.insert(copyOf(entry.key), entry.value.clone());
  return result;
}

template <typename Row>
void insertNew(kj::TreeMap<kj::String, Row>& map, kj::StringPtr key, const Row& row) {
  KJ_REQUIRE(map.find(key) == nullptr, "the database refuses a second row of this key", key);
  map.insert(kj::str(key), row.clone());
}

template <typename Row>
Row& present(kj::TreeMap<kj::String, Row>& map, kj::StringPtr key) {
  return KJ_REQUIRE_NONNULL(map.find(key), "the database has no such row", key);
}

// Of sessions: whose fault it is decides what becomes of them.
void requireFit(bool isSo, kj::StringPtr why) {
  if (!isSo) kj::throwFatalException(rowRefused(why));
}

template <typename Row>
void eraseOf(kj::TreeMap<kj::String, Row>& map, kj::StringPtr id) {
  kj::Vector<kj::String> keys;
  for (auto& entry : map) {
    if (entry.value.workspaceId == id) keys.add(kj::str(entry.key));
  }
  for (auto& key : keys) map.erase(key);
}

}  // namespace

SimulatedStore::Rows SimulatedStore::Rows::clone() const {
  return {copyOf(workspaces), copyOf(machines),       copyOf(operations), copyOf(requests),
          copyOf(sessions),   copyOf(configurations), activity.clone()};
}

kj::Maybe<const OperationRow&> SimulatedStore::Rows::operation(kj::StringPtr workspaceId) const {
  for (auto& entry : operations) {
    if (entry.value.workspaceId == workspaceId) return entry.value;
  }
  return nullptr;
}

kj::Maybe<const MachineRow&> SimulatedStore::Rows::machine(kj::StringPtr workspaceId) const {
  for (auto& entry : machines) {
    if (entry.value.workspaceId == workspaceId) return entry.value;
  }
  return nullptr;
}

// Whether it had one.
bool SimulatedStore::Rows::release(kj::StringPtr workspaceId, int64_t nanos) {
  for (auto& entry : machines) {
    auto& row = entry.value;
    if (row.workspaceId != workspaceId) continue;
    row = MachineRow{row.uid, row.cid};
    row.releasedNanos = nanos;
    return true;
  }
  return false;
}

WorkspaceState SimulatedStore::Rows::stateOf(kj::StringPtr id) const {
  auto underWay = operation(id).map([](const OperationRow& o) { return o.clone(); });
  return bothy::stateOf(KJ_REQUIRE_NONNULL(workspaces.find(id)), underWay);
}

void SimulatedStore::put(WorkspaceRow row) {
  told.insert(kj::str(row.id), bothy::stateOf(row.rest, nullptr));
  auto id = kj::str(row.id);
  rows.workspaces.insert(kj::mv(id), kj::mv(row));
}

void SimulatedStore::requireEpoch(uint64_t writer) const {
  if (writer != epoch) kj::throwFatalException(fencedBy(epoch, writer));
}

bool SimulatedStore::holds(uint64_t writer, uint64_t mark) const {
  requireEpoch(writer);
  return mark == lastMark;
}

GroupOutcome SimulatedStore::commit(uint64_t writer, uint64_t mark,
                                    kj::ArrayPtr<const Change> changes) {
  requireEpoch(writer);
  GroupOutcome outcome;
  outcome.refusals = kj::heapArray<kj::Maybe<kj::Exception>>(changes.size());
  for (auto i : kj::indices(changes)) {
    auto before = rows.clone();
    outcome.refusals[i] = kj::runCatchingExceptions([&]() { apply(changes[i]); });
    if (outcome.refusals[i] != nullptr) {
      rows = kj::mv(before);
    } else {
      examine(changes[i], before);
    }
  }
  lastMark = mark;
  outcome.lastEvent = last;
  return outcome;
}

void SimulatedStore::apply(const Change& change) {
  for (auto& step : change.steps) apply(step);
}

void SimulatedStore::apply(const Change::Step& step) {
  KJ_SWITCH_ONEOF(step) {
    KJ_CASE_ONEOF(add, Change::Add<WorkspaceRow>) {
      for (auto& entry : rows.workspaces) {
        auto& other = entry.value;
        KJ_REQUIRE(other.name != add.row.name, "the database refuses a second name");
        KJ_REQUIRE(other.user.size() == 0 || other.user != add.row.user ||
                       other.userName != add.row.userName,
                   "the database refuses a second workspace that a user calls so");
      }
      insertNew(rows.workspaces, add.row.id, add.row);
    }
    KJ_CASE_ONEOF(update, Change::Update<WorkspaceRow>) {
      auto& row = present(rows.workspaces, update.row.id);
      row.diskMib = update.row.diskMib;
      row.nextDiskMib = update.row.nextDiskMib;
      row.cpus = update.row.cpus;
      row.memoryMib = update.row.memoryMib;
      row.tier = kj::str(update.row.tier);
      row.rest = update.row.rest;
      row.failure = kj::str(update.row.failure);
      row.lastActiveNanos = update.row.lastActiveNanos;
      row.setupDone = update.row.setupDone;
      row.setupFailure = kj::str(update.row.setupFailure);
      row.sleeps = update.row.sleeps;
      row.sleep = update.row.sleep.clone();
    }
    KJ_CASE_ONEOF(remove, Change::RemoveWorkspace) {
      present(rows.workspaces, remove.id);
      rows.workspaces.erase(remove.id);
      rows.release(remove.id, remove.releasedNanos);
      eraseOf(rows.operations, remove.id);
      eraseOf(rows.requests, remove.id);
      eraseOf(rows.sessions, remove.id);
      rows.activity.eraseOf(remove.id);
      rows.configurations.erase(remove.id);
    }
    KJ_CASE_ONEOF(put, Change::PutMachine) {
      auto& id = put.row.workspaceId;
      present(rows.workspaces, id);
      for (auto& entry : rows.machines) {
        auto& other = entry.value;
        if (other.workspaceId.size() == 0) continue;
        KJ_REQUIRE((other.uid == put.row.uid) == (other.workspaceId == id),
                   "the database refuses a lease that another has, or a second one");
        KJ_REQUIRE(other.uid == put.row.uid || other.cid != put.row.cid,
                   "the database refuses a second cid");
      }
      auto row = put.row.clone();
      row.releasedNanos = 0;
      rows.machines.upsert(row.uid, kj::mv(row),
                           [](MachineRow& there, MachineRow&& next) { there = kj::mv(next); });
    }
    KJ_CASE_ONEOF(release, Change::ReleaseMachine) {
      KJ_REQUIRE(rows.release(release.workspaceId, release.releasedNanos),
                 "the database has no such machine", release.workspaceId);
    }
    KJ_CASE_ONEOF(add, Change::Add<OperationRow>) {
      present(rows.workspaces, add.row.workspaceId);
      for (auto& entry : rows.operations) {
        KJ_REQUIRE(entry.value.workspaceId != add.row.workspaceId,
                   "the database refuses a second operation");
      }
      insertNew(rows.operations, add.row.id, add.row);
    }
    KJ_CASE_ONEOF(update, Change::Update<OperationRow>) {
      auto& row = present(rows.operations, update.row.id);
      row.step = kj::str(update.row.step);
      row.parameters = kj::str(update.row.parameters);
      row.deadlineNanos = update.row.deadlineNanos;
    }
    KJ_CASE_ONEOF(remove, Change::RemoveOperation) {
      present(rows.operations, remove.id);
      rows.operations.erase(remove.id);
    }
    KJ_CASE_ONEOF(add, Change::Add<RequestRecord>) {
      present(rows.workspaces, add.row.workspaceId);
      insertNew(rows.requests, add.row.requestId, add.row);
    }
    KJ_CASE_ONEOF(update, Change::Update<RequestRecord>) {
      auto& row = present(rows.requests, update.row.requestId);
      auto next = update.row.clone();
      next.asked = kj::str(row.asked);
      next.workspaceId = kj::str(row.workspaceId);
      row = kj::mv(next);
    }
    KJ_CASE_ONEOF(add, Change::Add<SessionRow>) {
      requireFit(rows.workspaces.find(add.row.workspaceId) != nullptr, "no such workspace");
      for (auto& entry : rows.sessions) {
        auto& other = entry.value;
        requireFit(other.tokenHash != add.row.tokenHash, "a second token");
        requireFit(add.row.requestId.size() == 0 || other.requestId != add.row.requestId,
                   "a second session of a request");
      }
      insertNew(rows.sessions, add.row.id, add.row);
    }
    KJ_CASE_ONEOF(add, Change::Add<ConfigurationRow>) {
      present(rows.workspaces, add.row.workspaceId);
      insertNew(rows.configurations, add.row.workspaceId, add.row);
    }
    KJ_CASE_ONEOF(update, Change::Update<SessionRow>) {
      requireFit(rows.sessions.find(update.row.id) != nullptr, "no such session");
      auto& row = present(rows.sessions, update.row.id);
      row.lastUsedNanos = update.row.lastUsedNanos;
      row.revokedNanos = update.row.revokedNanos;
    }
    KJ_CASE_ONEOF(replace, Change::ReplaceToken) {
      requireFit(rows.sessions.find(replace.sessionId) != nullptr, "no such session");
      present(rows.sessions, replace.sessionId).tokenHash = kj::heapArray<kj::byte>(replace.hash);
    }
    KJ_CASE_ONEOF(remove, Change::RemoveSession) {
      requireFit(rows.sessions.find(remove.id) != nullptr, "no such session");
      rows.sessions.erase(remove.id);
    }
    KJ_CASE_ONEOF(of, Change::ActivityStep)
    requireFit(rows.activity.apply(of, rows.workspaces), "no such row");
  }
}

// The ids of the workspaces whose rows a change may have changed.
kj::HashSet<kj::StringPtr> SimulatedStore::touchedBy(const Change& change, const Rows& before) {
  kj::HashSet<kj::StringPtr> ids;
  auto touch = [&](kj::StringPtr id) { ids.upsert(id, [](kj::StringPtr&, kj::StringPtr&&) {}); };
  for (auto& event : change.events) touch(event.workspaceId);
  for (auto& step : change.steps) {
    KJ_SWITCH_ONEOF(step) {
      KJ_CASE_ONEOF(add, Change::Add<WorkspaceRow>) touch(add.row.id);
      KJ_CASE_ONEOF(update, Change::Update<WorkspaceRow>) touch(update.row.id);
      KJ_CASE_ONEOF(remove, Change::RemoveWorkspace) touch(remove.id);
      KJ_CASE_ONEOF(put, Change::PutMachine) touch(put.row.workspaceId);
      KJ_CASE_ONEOF(release, Change::ReleaseMachine) touch(release.workspaceId);
      KJ_CASE_ONEOF(add, Change::Add<OperationRow>) touch(add.row.workspaceId);
      KJ_CASE_ONEOF(update, Change::Update<OperationRow>) touch(update.row.workspaceId);
      KJ_CASE_ONEOF(remove, Change::RemoveOperation) {
        KJ_IF_MAYBE (row, before.operations.find(remove.id)) touch(row->workspaceId);
      }
      KJ_CASE_ONEOF(add, Change::Add<RequestRecord>) touch(add.row.workspaceId);
      KJ_CASE_ONEOF(update, Change::Update<RequestRecord>) touch(update.row.workspaceId);
      KJ_CASE_ONEOF(add, Change::Add<ConfigurationRow>) touch(add.row.workspaceId);
      // Of a session, and of use, nothing is part of the state.
      KJ_CASE_ONEOF_DEFAULT {}
    }
  }
  return ids;
}

// Of a change that is in: its events, and whether it may be.
void SimulatedStore::examine(const Change& change, const Rows& before) {
  for (auto& step : change.steps) {
    KJ_IF_MAYBE (add, step.tryGet<Change::Add<WorkspaceRow>>()) {
      auto state = rows.stateOf(add->row.id);
      if (state != WorkspaceState::CREATING) {
        judge.accuse("workspace ", add->row.name, " is new and in state ", state);
      }
      told.insert(kj::str(add->row.id), state);
    }
    KJ_IF_MAYBE (update, step.tryGet<Change::Update<WorkspaceRow>>()) {
      auto& row = update->row;
      auto& old = KJ_ASSERT_NONNULL(before.workspaces.find(row.id));
      if (row.name != old.name || row.diskMib < old.diskMib) {
        judge.accuse("workspace ", row.name, " changes what it is: a name, or a smaller disk");
      }
    }
    KJ_IF_MAYBE (remove, step.tryGet<Change::RemoveWorkspace>()) {
      bool isTold = false;
      for (auto& event : change.events) isTold = isTold || event.gone;
      if (!isTold) judge.accuse("no event tells that workspace ", remove->id, " is gone");
    }
  }
  auto touched = touchedBy(change, before);
  for (auto& entry : rows.workspaces) {
    if (!touched.contains(entry.key)) continue;
    auto& name = entry.value.name;
    auto state = rows.stateOf(entry.key);
    if (before.workspaces.find(entry.key) != nullptr && before.stateOf(entry.key) != state &&
        change.events.size() == 0) {
      judge.accuse("workspace ", name, " goes from ", before.stateOf(entry.key), " to ", state,
                   " without an event");
    }
    for (auto& event : change.events) {
      if (event.workspaceId == entry.key && event.after != state) {
        judge.accuse("workspace ", name, " is stored as ", state, ", and its event says ",
                     event.after);
      }
    }
    bool isToHave = isUp(state);
    KJ_IF_MAYBE (operation, rows.operation(entry.key)) {
      if (operationKind(operation->kind) == OperationKind::WAKE) isToHave = false;
    }
    if (isToHave && rows.machine(entry.key) == nullptr) {
      judge.accuse("workspace ", name, " is stored as ", state, " without a lease");
    }
    KJ_IF_MAYBE (machine, rows.machine(entry.key)) {
      if (!mayRun(state) && machine->secret.size() > 0) {
        judge.accuse("workspace ", name, " keeps the secret of a boot in state ", state);
      }
    }
    KJ_IF_MAYBE (operation, rows.operation(entry.key)) {
      if (operationKind(operation->kind) == nullptr) {
        judge.accuse("an operation of workspace ", name, " is of no kind: ", operation->kind);
      }
    }
  }
  for (auto& event : change.events) {
    examine(event, before);
    add(event);
  }
  for (auto& step : change.steps) {
    KJ_IF_MAYBE (remove, step.tryGet<Change::RemoveWorkspace>()) told.erase(remove->id);
  }
}

void SimulatedStore::examine(const EventRecord& event, const Rows& before) {
  auto& id = event.workspaceId;
  if (event.after == WorkspaceState::RUNNING && !hasRun(id)) ran.insert(kj::str(id));
  // A creation that fails has been somebody's.
  const bool isOfCreation =
      event.cause == Cause::START_FAILED && event.before == WorkspaceState::CREATING;
  if ((event.cause == Cause::REQUEST || isOfCreation) && event.actor.size() == 0) {
    judge.accuse("workspace ", event.workspace, " goes from ", event.before, " to ", event.after,
                 " as somebody asked, and nobody tells who");
  }
  if (!isWay(event, before.operation(id))) {
    judge.accuse("workspace ", event.workspace, " goes from ", event.before, " to ", event.after,
                 ", cause ", event.cause, ", and nobody asked for that");
  }
}

void SimulatedStore::add(const EventRecord& event) {
  KJ_IF_MAYBE (before, told.find(event.workspaceId)) {
    if (*before != event.before) {
      judge.accuse("an event of workspace ", event.workspace, " goes from ", event.before, " to ",
                   event.after, ", but the one before it ended in ", *before);
    }
    *before = event.after;
  } else {
    judge.accuse("an event tells of workspace ", event.workspace, ", which is gone");
  }
  auto added = event.clone();
  added.number = ++last;
  if (added.firstNanos == 0) added.firstNanos = added.timeNanos;
  for (auto i = log.rbegin(); event.isNotice() && i != log.rend(); ++i) {
    if (i->workspaceId != event.workspaceId) continue;
    if (!i->isNotice()) break;
    if (i->after != event.after || i->cause != event.cause || i->detail != event.detail ||
        i->actor != event.actor) {
      continue;
    }
    added.count += i->count;
    added.firstNanos = i->firstNanos;
    log.erase(std::next(i).base());
    break;
  }
  log.push_back(kj::mv(added));

  size_t ofWorkspace = 0;
  for (auto& other : log) ofWorkspace += other.workspaceId == event.workspaceId;
  if (ofWorkspace > limits.perWorkspace) {
    log.erase(std::find_if(log.begin(), log.end(), [&](const EventRecord& other) {
      return other.workspaceId == event.workspaceId;
    }));
  }
  while (event.timeNanos - log.front().timeNanos > limits.age / kj::NANOSECONDS) log.pop_front();
  while (log.size() > limits.total) log.pop_front();
}

}  // namespace bothy
