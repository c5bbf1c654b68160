#pragma once

#include <kj/map.h>

#include <deque>

#include "simulation/judge.h"
#include "store/store.h"

namespace bothy {

// A database in memory that keeps what the real one keeps, and accuses whoever writes what must never be in it.
class SimulatedStore final: public Store {
public:
  SimulatedStore(Judge& judge, uint64_t keepEvents) : judge(judge), keepEvents(keepEvents) {}
  KJ_DISALLOW_COPY_AND_MOVE(SimulatedStore);

  // The row, if there is one.
  kj::Maybe<const WorkspaceRow&> row(kj::StringPtr id) const;
  const kj::TreeMap<kj::String, WorkspaceRow>& rows() const { return byId; }
  // What a damaged disk would do: the row is gone, and nothing tells of it.
  void lose(kj::StringPtr id) { byId.erase(id); }

  kj::Array<WorkspaceRow> workspaces() override;
  void insert(const WorkspaceRow& row, const EventRecord& event,
              kj::Maybe<const RequestRecord&> request) override;
  void update(const WorkspaceRow& row, kj::Maybe<const EventRecord&> event) override;
  void remove(kj::StringPtr id, const EventRecord& event) override;
  void append(const EventRecord& event) override;
  kj::Maybe<RequestRecord> request(kj::StringPtr requestId) override;
  kj::Array<EventRecord> events(uint64_t after, size_t limit) override;
  uint64_t firstEvent() override;
  uint64_t lastEvent() override;

private:
  Judge& judge;
  uint64_t keepEvents;
  kj::TreeMap<kj::String, WorkspaceRow> byId;
  kj::TreeMap<kj::String, RequestRecord> requests;
  std::deque<EventRecord> log;
  uint64_t last = 0;
  // Whom each event must go on from; of workspaces that exist.
  kj::TreeMap<kj::String, WorkspaceState> told;

  void add(const EventRecord& event);
  void requireFree(const WorkspaceRow& row);
};

}  // namespace bothy
