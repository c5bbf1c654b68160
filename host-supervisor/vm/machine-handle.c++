#include "vm/machine-handle.h"

namespace bothy {
namespace {

class MachineHandle final: public RunningVm {
public:
  explicit MachineHandle(kj::Own<LibvirtMachine> machine) : machine(kj::mv(machine)) {}

  kj::Promise<kj::Own<kj::AsyncIoStream>> dial(uint32_t port) override {
    return machine->dial(port).attach(kj::addRef(*machine));
  }
  kj::Promise<VmEnd> onEnd() override { return machine->ended(); }
  kj::Promise<void> destroy() override { return machine->destroy().attach(kj::addRef(*machine)); }
  bool isEnding() override { return machine->isEnding(); }
  void renewVsock() override { machine->renewVsock(); }
  kj::Promise<void> pause() override { return machine->pause().attach(kj::addRef(*machine)); }
  kj::Promise<void> resume() override { return machine->resume().attach(kj::addRef(*machine)); }
  bool isPaused() override { return machine->isPaused(); }
  bool keepsStreams() override { return machine->keepsStreams(); }
  kj::Promise<void> save(MemoryFile file) override {
    return machine->save(kj::mv(file)).attach(kj::addRef(*machine));
  }
  kj::Promise<void> limitIo(IoLimits limits) override {
    return machine->limitIo(limits).attach(kj::addRef(*machine));
  }
  bool isStalled() override { return machine->isStalled(); }
  uint32_t user() override { return machine->user(); }
  kj::Array<kj::byte> consoleEnd() override { return machine->consoleEnd(); }
  bool isConsoleKnown() override { return machine->isConsoleKnown(); }
  uint64_t qemuPid() override { return machine->qemuPid(); }

private:
  kj::Own<LibvirtMachine> machine;
};

}  // namespace

kj::Own<RunningVm> newMachineHandle(kj::Own<LibvirtMachine> machine) {
  return kj::heap<MachineHandle>(kj::mv(machine));
}

}  // namespace bothy
