#pragma once

#include <kj/function.h>

#include <deque>

#include "simulation/lifetime.h"
#include "simulation/simulated-host.h"
#include "volume/volume-store.h"

namespace bothy {

// Disks in memory, behind one thread as the real ones: calls are carried out one after the other.  One whose
// promise was dropped runs to its end if it has begun, and never if it has not.
class SimulatedVolumes final: public VolumeStore, private kj::TaskSet::ErrorHandler {
public:
  SimulatedVolumes(SimulatedHost& host, Lifetime& lifetime);
  // The process ends: what was under way is done, half done or not, as fate has it.
  ~SimulatedVolumes() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(SimulatedVolumes);

  kj::Promise<void> create(kj::StringPtr id, uint64_t bytes, Secret key) override;
  kj::Promise<void> give(kj::StringPtr id, uint32_t uid) override;
  kj::Promise<void> reclaim(kj::StringPtr id) override;
  kj::Promise<void> grow(kj::StringPtr id, uint64_t bytes) override;
  kj::Promise<void> check(kj::StringPtr id, uint64_t bytes) override;
  kj::Promise<void> requireRoom() override;
  kj::Promise<uint64_t> freeBytes() override;
  kj::Promise<void> destroy(kj::StringPtr id) override;
  // simulated-memories.c++
  kj::Promise<void> createMemory(kj::StringPtr id, uint64_t bytes, Secret key) override;
  kj::Promise<uint64_t> sealMemory(kj::StringPtr id, uint64_t generation, Secret key) override;
  kj::Promise<void> checkMemory(kj::StringPtr id, uint64_t generation, Secret key) override;
  kj::Promise<void> destroyMemory(kj::StringPtr id) override;
  kj::String memoryPath(kj::StringPtr id) override { return kj::str("/memory/", id); }
  kj::String path(kj::StringPtr id) override { return kj::str("/volumes/", id); }
  kj::Promise<kj::Array<Listed>> list() override;

private:
  struct Job {
    kj::String what;
    bool needsSpace;
    kj::Function<void()> effect;
    // What a kill in the middle of it leaves.
    kj::Function<void()> half;
    kj::Own<kj::PromiseFulfiller<void>> done;
  };

  SimulatedHost& host;
  Lifetime& lifetime;
  std::deque<kj::Own<Job>> jobs;
  kj::Maybe<kj::Own<Job>> underWay;
  kj::TaskSet tasks;

  kj::Promise<void> run(kj::String what, bool needsSpace, kj::Function<void()> effect,
                        kj::Function<void()> half);
  kj::Promise<void> work();
  kj::Maybe<kj::Exception> fault(const Job& job);
  SimulatedHost::Volume& find(kj::StringPtr id);
  void requireUnused(kj::StringPtr id, kj::StringPtr what);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
