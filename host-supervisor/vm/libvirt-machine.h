#pragma once

#include <kj/async-io.h>
#include <kj/refcount.h>

#include "loop/process-handle.h"
#include "vm/console-tail.h"
#include "vm/disk-stall.h"
#include "vm/machine-consumption.h"
#include "vm/machine-files.h"
#include "vm/machine-host.h"
#include "vm/machine-pause.h"
#include "vm/machine-record.h"
#include "vm/machine-vsock.h"

namespace bothy {

// One machine from the first file to the last.  The driver owns it until ended() resolves.
class LibvirtMachine final: public kj::Refcounted {
public:
  LibvirtMachine(MachineHost& host, VmSpec spec);
  ~LibvirtMachine() noexcept(false);

  // Returns when the CPUs run.  If it fails or is dropped, dismantle() is the caller's to call.  `listener` is told while
  // it waits for others, and outlives the promise.
  kj::Promise<void> start(kj::Maybe<TurnListener&> listener);
  // The same, of one that goes on with that memory: returns when it is there, and its CPUs stand still.
  kj::Promise<void> restore(MemoryFile file, kj::Maybe<TurnListener&> listener);
  // Takes it over: whether it runs, or did when its CPUs were stopped.  `found`: the domain, as libvirt has it; nullptr if it
  // has none.  Fails if it runs and cannot be taken over; then it is as before, and this object may be dropped.
  kj::Promise<bool> adopt(kj::Maybe<LibvirtDomain::Condition> found);
  // Waits for its end and dismantles it; keeps its vsock alive meanwhile.
  kj::Promise<void> serve();
  // Its user id is another machine's by now, whose processes dismantle() leaves alone: its own had ended before that was given it.
  void giveUpUser() { isUserOthers = true; }
  // Ends and removes whatever there is of it, in any state.  Never fails.
  kj::Promise<void> dismantle();

  kj::Promise<kj::Own<kj::AsyncIoStream>> dial(uint32_t port);
  kj::Promise<void> destroy();
  kj::Promise<VmEnd> ended() { return end.addBranch(); }
  // True from the moment when dismantle() begins.
  bool isDismantled() const { return ending; }
  // See RunningVm: it is to be dismantled, or is.
  bool isEnding() const { return ending || destroying || cause != nullptr; }
  void renewVsock() { vsock.renew(); }
  kj::Promise<void> limitIo(IoLimits limits);
  size_t dials() const { return vsock.dials(); }
  kj::Promise<void> pause();
  kj::Promise<void> resume();
  bool isPaused() const { return halt.isUnderWay(); }
  kj::Promise<void> save(MemoryFile file);
  bool keepsStreams() const { return vsock.keepsStreams(); }
  bool isStalled() const { return stall.isUnderWay(); }
  uint32_t user() const { return spec.uid; }
  kj::Array<kj::byte> consoleEnd() const { return said.end(); }
  bool isConsoleKnown() const { return !isTakenOver; }
  uint64_t qemuPid();
  // None: it has not started yet.
  kj::Maybe<ProcessIdentity> qemuIdentity();
  kj::StringPtr name() const { return spec.name; }

  void handle(LibvirtEvent event);

private:
  MachineHost& host;
  Counted counted;
  // Until libvirt has it.
  kj::Maybe<Secret> diskKey;
  const VmSpec spec;
  MachineFiles files;
  MachineRecord record;
  DiskStall stall;

  kj::Maybe<kj::Own<ProcessHandle>> qemu;
  kj::Maybe<MachineConsumption> consumption;
  MachineVsock vsock;
  MachinePause halt;
  ConsoleTail said;
  kj::Promise<void> console = kj::READY_NOW;  // its recording
  kj::Promise<void> spoken = kj::READY_NOW;   // the guest's first word on it
  // Until the guest may be dialled.
  kj::ForkedPromise<void> dialable = kj::Promise<void>(kj::READY_NOW).fork();

  bool isTakenOver = false;
  bool destroying = false;
  bool ending = false;
  bool isUserOthers = false;
  kj::Maybe<VmEnd> cause;
  kj::Own<kj::PromiseFulfiller<VmEnd>> endFulfiller;
  kj::ForkedPromise<VmEnd> end;
  // The domain's last event, after which its cause is known.
  kj::Own<kj::PromiseFulfiller<void>> stoppedFulfiller;
  kj::Promise<void> stopped = nullptr;

  // What opens its disk, once.
  DiskPassphrase takePassphrase();
  kj::String xml();
  kj::Promise<kj::Own<MemoryExport>> exportMemory(MemoryFile file);
  // libvirt has started it: all that is to be done before its CPUs run.
  kj::Promise<void> settleIn(int number);
  // Fails unless the process that libvirt names is the machine's user's, and `recorded`, if that has a pid.
  void openQemu(const ProcessIdentity& recorded);
  kj::Promise<void> openConsole();
  void beginStall();
  void noteConsumption() {
    KJ_IF_MAYBE (c, consumption) c->note(spec.name);
  }
  // Of its user, until none is left.
  kj::Promise<void> endProcesses();
  kj::Promise<void> removeFiles();
  // Ends the domain; its QEMU, if libvirt cannot.
  kj::Promise<void> endDomain();
};

}  // namespace bothy
