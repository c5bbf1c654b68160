#pragma once

#include <kj/function.h>

#include <deque>

#include "keys/key-keeper.h"
#include "simulation/lifetime.h"
#include "simulation/simulated-host.h"

namespace bothy {

// Keys in memory, behind one thread as the real ones: calls are carried out one after the other, most of them before the call returns.
// One whose promise was dropped is done all the same if it has begun, and never if it has not.
class SimulatedKeys final: public KeyKeeper, private kj::TaskSet::ErrorHandler {
public:
  SimulatedKeys(SimulatedHost& host, Lifetime& lifetime);
  // The process ends: what was under way is done or not, as fate has it.
  ~SimulatedKeys() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(SimulatedKeys);

  kj::Promise<void> create(kj::StringPtr id) override;
  kj::Promise<Secret> open(kj::StringPtr id) override;
  kj::Promise<void> destroy(kj::StringPtr id) override;
  kj::Promise<kj::Array<kj::String>> list() override;

private:
  struct Job {
    kj::String what;
    kj::Function<void()> effect;
    kj::Own<kj::PromiseFulfiller<void>> done;
  };

  SimulatedHost& host;
  Lifetime& lifetime;
  std::deque<kj::Own<Job>> jobs;
  kj::Maybe<kj::Own<Job>> underWay;
  kj::TaskSet tasks;

  kj::Promise<void> run(kj::String what, kj::Function<void()> effect);
  kj::Promise<void> work(kj::Duration takes);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
