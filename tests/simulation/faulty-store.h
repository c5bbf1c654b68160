#pragma once

#include "simulation/lifetime.h"
#include "simulation/simulated-host.h"

namespace bothy {

// The host's database as one life of bothyd has it: locked, or its disk full, when fate has it so.
class FaultyStore final: public Store {
public:
  FaultyStore(SimulatedHost& host, Lifetime& lifetime) : host(host), lifetime(lifetime) {}
  KJ_DISALLOW_COPY_AND_MOVE(FaultyStore);

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
  SimulatedHost& host;
  Lifetime& lifetime;

  void mayRefuseToRead();
  // The change, unless it is refused.
  template <typename Func>
  void write(kj::String what, Func&& change);
};

}  // namespace bothy
