#pragma once

#include "simulation/lifetime.h"
#include "simulation/simulated-host.h"

namespace bothy {

// The host's database as one life of bothyd has it: slow, locked, its disk full, in doubt at the end of a transaction, or taken over by
// another, when fate has it so.
class FaultyBackend final: public AsyncBackend {
public:
  FaultyBackend(SimulatedHost& host, Lifetime& lifetime) : host(host), lifetime(lifetime) {}
  KJ_DISALLOW_COPY_AND_MOVE(FaultyBackend);

  kj::Promise<StoredState> begin() override;
  kj::Promise<kj::Maybe<RequestRecord>> request(kj::StringPtr requestId) override;
  kj::Promise<kj::Maybe<kj::Array<const kj::byte>>> configuration(
      kj::StringPtr workspaceId) override;
  kj::Promise<EventPage> events(uint64_t after, size_t limit) override;
  kj::Promise<GroupOutcome> commit(uint64_t mark, kj::Array<Change> changes) override;
  kj::Promise<bool> holds(uint64_t mark) override;

private:
  SimulatedHost& host;
  Lifetime& lifetime;
  uint64_t epoch = 0;

  void mayRefuseToRead();
  kj::Promise<void> mayTakeLong();
  void trace(const Change& change);
};

}  // namespace bothy
