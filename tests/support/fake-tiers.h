#pragma once

#include "schema/supervisor.capnp.h"

namespace bothy {

// The tiers of a FakeSupervisor.
inline void fillTiers(rpc::Supervisor::TiersResults::Builder results) {
  auto tiers = results.initTiers(2);
  tiers[0].setName("free");
  tiers[0].setCpus(1);
  tiers[0].setMemoryMib(512);
  tiers[0].setDiskMib(2048);
  tiers[0].setSessions(1);
  tiers[0].initIdle().setPauseAfter(30 * 60);
  tiers[0].getIdle().setExpireAfter(30 * 24 * 3600);
  tiers[0].getIdle().setCountInput(true);
  tiers[1].setName("pro");
  tiers[1].setCpus(2);
  tiers[1].setMemoryMib(2048);
  tiers[1].setDiskMib(10240);
  tiers[1].setSessions(3);
  tiers[1].initIdle().setPauseAfter(2 * 3600);
  tiers[1].initIo().setWriteBytes(50 << 20);
  tiers[1].getIo().setWriteOperations(2000);
}

}  // namespace bothy
