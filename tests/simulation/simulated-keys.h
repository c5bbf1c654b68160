#pragma once

#include "keys/key-keeper.h"
#include "simulation/lifetime.h"
#include "simulation/simulated-host.h"

namespace bothy {

// Keys in memory.  It works before its call returns, as the keyring at its fastest seems to.
class SimulatedKeys final: public KeyKeeper {
public:
  SimulatedKeys(SimulatedHost& host, Lifetime& lifetime) : host(host), lifetime(lifetime) {}
  KJ_DISALLOW_COPY_AND_MOVE(SimulatedKeys);

  kj::Promise<void> create(kj::StringPtr id) override;
  kj::Promise<Secret> open(kj::StringPtr id) override;
  kj::Promise<void> destroy(kj::StringPtr id) override;
  kj::Promise<kj::Array<kj::String>> list() override;

private:
  SimulatedHost& host;
  Lifetime& lifetime;

  void mayRefuse(kj::StringPtr what, kj::StringPtr id);
};

}  // namespace bothy
