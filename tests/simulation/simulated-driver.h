#pragma once

#include "simulation/lifetime.h"
#include "simulation/simulated-host.h"
#include "vm/libvirt-driver.h"

namespace bothy {

// The real driver in one life of bothyd, over simulated libvirt, processes and files; with an eye on what it is asked for.
class SimulatedDriver final: public VmDriver {
public:
  SimulatedDriver(SimulatedHost& host, Lifetime& lifetime, HostAbilities::Accelerator accelerator,
                  HostAbilities::Vsock vsock);
  ~SimulatedDriver() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(SimulatedDriver);

  // Before anything else is called.
  kj::Promise<void> open();
  // From then on.
  CountedVmDriver::Counts counts() { return driver().counts(); }

  const HostAbilities& abilities() override { return driver().abilities(); }
  void setEvents(Events& events) override { driver().setEvents(events); }
  kj::Promise<kj::Own<RunningVm>> start(VmSpec spec,
                                        kj::Maybe<TurnListener&> listener = nullptr) override;
  kj::Promise<kj::Own<RunningVm>> restore(VmSpec spec, MemoryFile file,
                                          kj::Maybe<TurnListener&> listener = nullptr) override;
  kj::Promise<kj::Maybe<kj::Own<RunningVm>>> adopt(VmSpec spec) override;
  kj::Promise<void> remove(kj::StringPtr name, kj::Maybe<uint32_t> user = nullptr) override;
  kj::Promise<kj::Array<MachineUser>> users() override;
  kj::Promise<kj::Array<VmConsumption>> consumption() override { return driver().consumption(); }
  kj::Promise<void> whenNotDialling() override { return driver().whenNotDialling(); }
  kj::Promise<void> whenConsolesWritten() override { return driver().whenConsolesWritten(); }

private:
  SimulatedHost& host;
  Lifetime& lifetime;
  HostAbilities hostAbilities;
  kj::Maybe<kj::Own<CountedVmDriver>> opened;

  CountedVmDriver& driver() { return *KJ_ASSERT_NONNULL(opened); }
};

}  // namespace bothy
