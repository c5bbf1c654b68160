#pragma once

#include "metering/host-moments.h"
#include "workspace/workspace-manager.h"

namespace bothy {

// What is metered, as it is now.
struct MeteredWorkspace {
  kj::String id;
  kj::String name;
  WorkspaceState state;
  // Of its machine.
  uint32_t memoryMib;
  // As large as its disk is, also where nothing was written yet.
  uint32_t diskMib;
  // Whose it is; empty: nobody's.
  kj::String user = nullptr;
};

// The host, as it is metered.
class MeteredHost {
public:
  virtual Moment now() = 0;
  virtual kj::Promise<kj::Array<VmConsumption>> consumption() = 0;
  virtual kj::Maybe<MeteredWorkspace> find(kj::StringPtr id) = 0;
  // By name, behind `after`; at the end none.
  virtual kj::Array<MeteredWorkspace> page(kj::StringPtr after) = 0;
};

// The workspaces and machines of this bothyd.
class RegisteredHost final: public MeteredHost {
public:
  // All of it outlives it.
  RegisteredHost(WorkspaceManager& manager, VmDriver& driver, const kj::Clock& clock)
      : manager(manager), driver(driver), moments(clock) {}

  Moment now() override { return moments.now(); }
  kj::Promise<kj::Array<VmConsumption>> consumption() override { return driver.consumption(); }
  kj::Maybe<MeteredWorkspace> find(kj::StringPtr id) override;
  kj::Array<MeteredWorkspace> page(kj::StringPtr after) override;

private:
  WorkspaceManager& manager;
  VmDriver& driver;
  HostMoments moments;
};

}  // namespace bothy
