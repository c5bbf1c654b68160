#pragma once

#include "simulation/lifetime.h"
#include "simulation/simulated-host.h"

namespace bothy {

// The driver of one life of bothyd.  As the real one, it dismantles what failed or was dropped in the
// background, and whoever asks for the same machine waits for that.
class SimulatedDriver final: public VmDriver, private kj::TaskSet::ErrorHandler {
public:
  SimulatedDriver(SimulatedHost& host, Lifetime& lifetime, HostAbilities::Accelerator accelerator);
  ~SimulatedDriver() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(SimulatedDriver);

  // The vsock device of the machine ends, and is replaced some time later.
  void loseVsock(kj::StringPtr name);
  // The machine has begun to stand still.
  void noticeStall(kj::StringPtr name);

  const HostAbilities& abilities() override { return hostAbilities; }
  void setEvents(Events& events) override { listener = events; }
  kj::Promise<kj::Own<RunningVm>> start(VmSpec spec, kj::Maybe<TurnListener&> listener) override;
  kj::Promise<kj::Maybe<kj::Own<RunningVm>>> adopt(VmSpec spec) override;
  kj::Promise<void> remove(kj::StringPtr name) override;
  kj::Array<MachineUser> users() override;
  kj::Promise<kj::Array<kj::String>> removeStrays(kj::ArrayPtr<const kj::StringPtr> known) override;
  kj::Promise<void> whenNotDialling() override { return kj::READY_NOW; }

private:
  class Keeper;
  class Handle;

  SimulatedHost& host;
  Lifetime& lifetime;
  HostAbilities hostAbilities;
  kj::Maybe<Events&> listener;
  kj::TreeMap<kj::String, kj::Own<Keeper>> keepers;
  kj::TaskSet tasks;

  Keeper& keep(kj::StringPtr name);
  kj::Promise<void> untilGone(kj::StringPtr name);
  // Watches it until it ends by itself.
  kj::Promise<void> serve(kj::Own<Keeper> keeper);
  void retire(Keeper& keeper);
  kj::Promise<void> dismantle(kj::Own<Keeper> keeper);
  kj::Promise<void> destroy(Keeper& keeper);
  // Waits for ever if the fault strikes.
  kj::Promise<void> mayHang(Fault fault, kj::StringPtr name);
  void mayFail(Fault fault, kj::StringPtr name);
  kj::Promise<void> restoreVsock(kj::String name);
  kj::Promise<void> endStall(kj::Own<Keeper> keeper);
  void tell(Fault miss, kj::FunctionParam<void(Events&)> event);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
