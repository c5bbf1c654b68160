#pragma once

#include <kj/function.h>
#include <kj/map.h>

#include "vm/vm-driver.h"

namespace bothy {

// A host of machines that exist in memory only, with a test in the place of fate.  It plays the host
// as well as the driver: whoever drops every RunningVm and calls adopt() has restarted bothyd.
class FakeVmDriver final: public VmDriver {
public:
  // What dial() of the machine `vmName` gives.
  using Dial =
      kj::Function<kj::Promise<kj::Own<kj::AsyncIoStream>>(kj::StringPtr vmName, uint32_t port)>;

  explicit FakeVmDriver(Dial dial);
  ~FakeVmDriver() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(FakeVmDriver);

  // The next `count` starts fail with `reason` and leave nothing.
  void failStarts(kj::Exception reason, uint32_t count = 1);
  // The next `count` calls that end a machine fail, and it goes on.
  void failRemovals(uint32_t count) { removalsToFail = count; }
  // Every call that ends this machine fails, or comes to no end.
  kj::String unremovable;
  bool removalsHang = false;
  // Every call that limits a machine's disk fails, or comes to no end.
  bool refusesIoLimits = false;
  bool ioLimitsHang = false;
  // The next calls of onEnd() that fail at once.
  uint32_t watchesToRefuse = 0;
  // Every adoption of a machine that runs fails with `reason`, until allowAdoptions().
  void failAdoptions(kj::Exception reason) { adoptionFailure = kj::mv(reason); }
  void allowAdoptions() { adoptionFailure = nullptr; }
  // Adoptions that begin now come to no end.
  bool adoptionsHang = false;
  // Starts wait, then go on in the order of their calls.  A start that is dropped meanwhile leaves
  // nothing.
  void holdStarts();
  // The same, and each is told of so many others before it; their turns come with releaseStarts().
  void queueStarts(size_t before) {
    holdStarts();
    startsBefore = before;
  }
  void releaseStarts();

  // The machine ends for a reason of its own.
  void end(kj::StringPtr name, VmEnd why);
  // It will, and its driver is at it for long.  What becomes of its streams is the test's.
  void beginEnd(kj::StringPtr name);
  // Dials fail with DISCONNECTED until restoreVsock().  Streams that exist are the test's to break.
  void loseVsock(kj::StringPtr name);
  void restoreVsock(kj::StringPtr name);
  // Its driver could not replace one that is lost.
  void giveUpVsock(kj::StringPtr name);
  // The machine stands still, as on a full disk, until goOn().  What it answers is still the test's.
  void stall(kj::StringPtr name);
  void goOn(kj::StringPtr name);

  // Whether it is paused, and how often machines were to be paused and resumed.
  bool isPaused(kj::StringPtr name);
  uint32_t pauses = 0, resumes = 0;
  // As a bothyd leaves its CPUs that was killed.
  void leave(kj::StringPtr name, bool isPaused);
  // Streams outlast a pause, as those of the kernel's vsock do.
  bool keepsStreams = false;
  // The next so many of these calls that fail, and whether they come to no end; the machine stays as it is.
  uint32_t changesToFail = 0;
  bool changesHang = false;

  // Memory that machines were saved to, by the path of the file, and the secret of the boot that goes on with it.
  kj::TreeMap<kj::String, kj::Array<kj::byte>> memories;
  // How often machines were to be saved, and to go on with what was.
  uint32_t saves = 0, restores = 0;
  // The next so many saves that fail; and whether these calls come to no end.
  uint32_t savesToFail = 0;
  bool savesHang = false, restoresHang = false;
  // The machine is saved there, and nobody hears of it.
  void keepMemory(kj::StringPtr name, kj::String path);
  // What it says that memory has to be of.
  void setMemoryFormat(kj::StringPtr format) { hostAbilities.memoryFormat = kj::str(format); }
  // The next restorations that fail with this.
  kj::Maybe<kj::Exception> restoreFailure;

  // What the console of each machine has said.
  kj::String console;
  // It may have said more before.
  bool isConsoleKnown = true;
  // The records of machines cannot be read.
  bool recordsAreDamaged = false;
  // The next calls of users() that fail, and whether all of them come to no end.
  uint32_t listingsToFail = 0;
  bool listingsHang = false;

  // The user id of the machine that was to be removed last, as the caller knew it.
  kj::Maybe<uint32_t> removedUser;

  bool isRunning(kj::StringPtr name);
  // Names in the order of starting.
  kj::Array<kj::String> running();
  // What the machine that runs was started from.
  const VmSpec& spec(kj::StringPtr name);
  // How often a vsock device was to be replaced, and whether it is, in the next turn.
  uint32_t renewals = 0;
  bool renewsAtOnce = false;
  // How often somebody asked whether a machine is ending.
  uint32_t endsAsked = 0;
  // Starts asked for since the beginning, failed ones too.
  uint32_t startCount() { return starts; }

  const HostAbilities& abilities() override { return hostAbilities; }
  void setEvents(Events& events) override;
  kj::Promise<kj::Own<RunningVm>> start(VmSpec spec,
                                        kj::Maybe<TurnListener&> listener = nullptr) override;
  kj::Promise<kj::Own<RunningVm>> restore(VmSpec spec, MemoryFile file,
                                          kj::Maybe<TurnListener&> listener = nullptr) override;
  kj::Promise<kj::Maybe<kj::Own<RunningVm>>> adopt(VmSpec spec) override;
  kj::Promise<void> remove(kj::StringPtr name, kj::Maybe<uint32_t> user = nullptr) override;
  kj::Promise<kj::Array<MachineUser>> users() override;
  // Of each machine: what its QEMU has taken.
  kj::Promise<kj::Array<VmConsumption>> consumption() override;
  uint64_t cpuNanos = 0;
  kj::Promise<void> whenNotDialling() override { return kj::READY_NOW; }
  kj::Promise<void> whenConsolesWritten() override { return kj::READY_NOW; }

private:
  class Machine;
  class Handle;

  Dial dial;
  HostAbilities hostAbilities;
  kj::Maybe<Events&> listener;
  kj::TreeMap<kj::String, kj::Own<Machine>> machines;
  uint32_t starts = 0;
  uint64_t nextPid = 1000;
  kj::Maybe<kj::Exception> failure;
  uint32_t failuresLeft = 0;
  kj::Maybe<kj::Exception> adoptionFailure;
  uint32_t removalsToFail = 0;
  kj::Maybe<kj::ForkedPromise<void>> gate;
  kj::Own<kj::PromiseFulfiller<void>> gateKeeper;
  kj::Maybe<size_t> startsBefore;

  Machine& find(kj::StringPtr name);
  void mayFailToRemove();
  kj::Promise<void> change(Machine& machine, bool isPaused);
  void renew(kj::StringPtr name);
};

}  // namespace bothy
