#include "simulation/simulated-store.h"

#include <kj/debug.h>
#include <kj/vector.h>

#include <algorithm>

#include "workspace/workspace-state.h"

namespace bothy {
namespace {

EventRecord copyOf(const EventRecord& event, uint64_t number) {
  return {number,
          event.timeNanos,
          kj::str(event.workspace),
          kj::str(event.workspaceId),
          event.before,
          event.after,
          event.gone,
          event.cause,
          kj::str(event.detail)};
}

}  // namespace

kj::Maybe<const WorkspaceRow&> SimulatedStore::row(kj::StringPtr id) const {
  return byId.find(id);
}

kj::Array<WorkspaceRow> SimulatedStore::workspaces() {
  kj::Vector<WorkspaceRow> result(byId.size());
  for (auto& entry : byId) result.add(entry.value.clone());
  std::sort(result.begin(), result.end(),
            [](const WorkspaceRow& a, const WorkspaceRow& b) { return a.name < b.name; });
  return result.releaseAsArray();
}

void SimulatedStore::requireFree(const WorkspaceRow& row) {
  for (auto& entry : byId) {
    auto& other = entry.value;
    if (other.id == row.id) continue;
    KJ_REQUIRE(other.name != row.name && other.uid != row.uid && other.cid != row.cid,
               "the database refuses a second workspace of this name, uid or cid", row.name,
               row.uid, row.cid);
  }
}

void SimulatedStore::insert(const WorkspaceRow& row, const EventRecord& event,
                            kj::Maybe<const RequestRecord&> request) {
  KJ_REQUIRE(byId.find(row.id) == nullptr, "the database refuses a second workspace of this id");
  requireFree(row);
  KJ_IF_MAYBE (r, request) {
    KJ_REQUIRE(requests.find(r->requestId) == nullptr, "the database refuses a second request id",
               r->requestId);
    requests.insert(kj::str(r->requestId),
                    {kj::str(r->requestId), kj::str(r->asked), kj::str(r->workspaceId)});
  }
  if (row.state != WorkspaceState::CREATING) {
    judge.accuse("workspace ", row.name, " is new and in state ", row.state);
  }
  byId.insert(kj::str(row.id), row.clone());
  told.insert(kj::str(row.id), row.state);
  add(event);
}

void SimulatedStore::update(const WorkspaceRow& row, kj::Maybe<const EventRecord&> event) {
  auto& present = KJ_REQUIRE_NONNULL(byId.find(row.id), "no such workspace in the database");
  requireFree(row);
  if (event == nullptr && present.state != row.state) {
    judge.accuse("workspace ", row.name, " goes from ", present.state, " to ", row.state,
                 " without an event");
  }
  if (row.uid != present.uid || row.cid != present.cid || row.name != present.name ||
      row.diskMib < present.diskMib) {
    judge.accuse("workspace ", row.name, " changes what it is: uid, cid, name, or a smaller disk");
  }
  if (!mayRun(row.state) && row.secret.size() > 0) {
    judge.accuse("workspace ", row.name, " keeps the secret of a boot in state ", row.state);
  }
  KJ_IF_MAYBE (e, event) {
    if (e->after != row.state) {
      judge.accuse("workspace ", row.name, " is stored as ", row.state, ", and its event says ",
                   e->after);
    }
  }
  present = row.clone();
  KJ_IF_MAYBE (e, event) {
    add(*e);
  }
}

void SimulatedStore::remove(kj::StringPtr id, const EventRecord& event) {
  KJ_REQUIRE(byId.find(id) != nullptr, "no such workspace in the database", id);
  if (!event.gone) judge.accuse("the last event of workspace ", event.workspace, " is not `gone`");
  auto key = kj::str(id);
  add(event);
  byId.erase(key);
  told.erase(key);
  kj::Vector<kj::String> forgotten;
  for (auto& entry : requests) {
    if (entry.value.workspaceId == key) forgotten.add(kj::str(entry.key));
  }
  for (auto& requestId : forgotten) requests.erase(requestId);
}

void SimulatedStore::append(const EventRecord& event) {
  if (event.before != event.after) {
    judge.accuse("an event of workspace ", event.workspace, " tells of a change to ", event.after,
                 " that is not stored with it");
  }
  add(event);
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
  log.push_back(copyOf(event, ++last));
  if (log.size() > keepEvents) log.pop_front();
}

kj::Maybe<RequestRecord> SimulatedStore::request(kj::StringPtr requestId) {
  KJ_IF_MAYBE (found, requests.find(requestId)) {
    return RequestRecord{kj::str(found->requestId), kj::str(found->asked),
                         kj::str(found->workspaceId)};
  }
  return nullptr;
}

kj::Array<EventRecord> SimulatedStore::events(uint64_t after, size_t limit) {
  kj::Vector<EventRecord> result;
  for (auto& event : log) {
    if (event.number <= after) continue;
    if (result.size() == limit) break;
    result.add(copyOf(event, event.number));
  }
  return result.releaseAsArray();
}

uint64_t SimulatedStore::firstEvent() {
  return log.empty() ? 0 : log.front().number;
}

uint64_t SimulatedStore::lastEvent() {
  return last;
}

}  // namespace bothy
