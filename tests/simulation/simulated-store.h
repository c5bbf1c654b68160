#pragma once

#include <kj/map.h>

#include <deque>

#include "simulation/judge.h"
#include "simulation/simulated-activity.h"
#include "store/store-backend.h"
#include "store/store-limits.h"

namespace bothy {

// A database in memory that keeps what the real one keeps, and accuses whoever writes what must never be in it.
class SimulatedStore final {
public:
  SimulatedStore(Judge& judge, EventLimits limits) : judge(judge), limits(limits) {}
  KJ_DISALLOW_COPY_AND_MOVE(SimulatedStore);

  // The rows, if there are any.
  kj::Maybe<const WorkspaceRow&> row(kj::StringPtr id) const { return rows.workspaces.find(id); }
  // The lease that it has, if it has one.
  kj::Maybe<const MachineRow&> machine(kj::StringPtr id) const { return rows.machine(id); }
  // By uid, those that rest too.
  const kj::TreeMap<uint32_t, MachineRow>& machines() const { return rows.machines; }
  const kj::TreeMap<kj::String, WorkspaceRow>& workspaces() const { return rows.workspaces; }
  // What the rows of one that exists say of it.
  WorkspaceState stateOf(kj::StringPtr id) const { return rows.stateOf(id); }
  kj::Maybe<const OperationRow&> operation(kj::StringPtr workspaceId) const {
    return rows.operation(workspaceId);
  }
  // By id.
  const kj::TreeMap<kj::String, SessionRow>& sessions() const { return rows.sessions; }
  uint64_t lastEvent() const { return last; }
  // Whether it was ever stored that it runs.
  bool hasRun(kj::StringPtr id) const { return ran.find(id) != nullptr; }
  // One that was there before the world began.
  void put(WorkspaceRow row);
  // What a damaged disk would do: the row is gone, and nothing tells of it.
  void lose(kj::StringPtr id) { rows.workspaces.erase(id); }

  // Without a new epoch.
  StoredState state() const;
  uint64_t takeEpoch() {
    lastMark = 0;
    return ++epoch;
  }
  kj::Maybe<RequestRecord> request(kj::StringPtr requestId) const;
  kj::Maybe<kj::Array<const kj::byte>> configuration(kj::StringPtr workspaceId) const;
  EventPage events(uint64_t after, size_t limit) const;
  // See StoreBackend; `writer` is the epoch of who asks.
  GroupOutcome commit(uint64_t writer, uint64_t mark, kj::ArrayPtr<const Change> changes);
  bool holds(uint64_t writer, uint64_t mark) const;

private:
  struct Rows {
    kj::TreeMap<kj::String, WorkspaceRow> workspaces;
    kj::TreeMap<uint32_t, MachineRow> machines;
    kj::TreeMap<kj::String, OperationRow> operations;
    kj::TreeMap<kj::String, RequestRecord> requests;
    kj::TreeMap<kj::String, SessionRow> sessions;
    kj::TreeMap<kj::String, ConfigurationRow> configurations;
    SimulatedActivity activity;
    Rows clone() const;
    bool release(kj::StringPtr workspaceId, int64_t nanos);
    kj::Maybe<const OperationRow&> operation(kj::StringPtr workspaceId) const;
    kj::Maybe<const MachineRow&> machine(kj::StringPtr workspaceId) const;
    WorkspaceState stateOf(kj::StringPtr id) const;
  };
  Judge& judge;
  const EventLimits limits;
  Rows rows;
  std::deque<EventRecord> log;
  uint64_t last = 0;
  uint64_t epoch = 0;
  uint64_t lastMark = 0;
  // Whom each event must go on from; of workspaces that exist.
  kj::TreeMap<kj::String, WorkspaceState> told;
  kj::TreeSet<kj::String> ran;

  void requireEpoch(uint64_t writer) const;
  void apply(const Change& change);
  void apply(const Change::Step& step);
  static kj::HashSet<kj::StringPtr> touchedBy(const Change& change, const Rows& before);
  void examine(const Change& change, const Rows& before);
  void examine(const EventRecord& event, const Rows& before);
  void add(const EventRecord& event);
};

}  // namespace bothy
