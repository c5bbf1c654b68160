#pragma once

#include "simulation/lifetime.h"
#include "simulation/simulated-host.h"
#include "vm/machine-processes.h"

namespace bothy {

// The processes of the host, as one life of bothyd sees them and ends them.
class SimulatedProcesses final: public MachineProcesses {
public:
  SimulatedProcesses(SimulatedHost& host, Lifetime& lifetime) : host(host), lifetime(lifetime) {}
  KJ_DISALLOW_COPY_AND_MOVE(SimulatedProcesses);

  kj::Maybe<kj::Own<ProcessHandle>> open(pid_t pid) override;
  kj::Maybe<kj::Own<ProcessHandle>> open(const ProcessIdentity& identity) override;
  kj::Own<ProcessorTime> processorTime(const ProcessIdentity& identity) override;
  void signalAll(uint32_t user, int signum) override;
  kj::Promise<void> killAll(uint32_t user) override;
  bool isAnyRunning(uint32_t user, kj::StringPtr program) override;
  kj::Promise<kj::Own<ProcessHandle>> startVsockDevice(VsockDeviceSpec spec) override;
  bool hasVsockWorker(pid_t device) override;
  kj::Promise<kj::Own<kj::AsyncIoStream>> dialVsockDevice(kj::String socket, uint32_t user,
                                                          uint32_t port) override;
  kj::Promise<kj::Own<kj::AsyncIoStream>> dialKernelVsock(uint32_t cid, uint32_t port) override;
  kj::Promise<kj::Own<MemoryExport>> exportMemory(MemoryExportSpec spec) override;
  kj::Promise<kj::Own<kj::AsyncIoStream>> openConsole(kj::StringPtr socket, uint32_t user) override;

private:
  class Handle;
  class Export;

  SimulatedHost& host;
  Lifetime& lifetime;

  // It counts among those that bothyd holds, from now until it is dropped.
  kj::Promise<kj::Own<kj::AsyncIoStream>> hold(kj::Promise<kj::Own<kj::AsyncIoStream>> opening);
  // Throws where a process cannot be held, for want of descriptors for example.
  void mayRefuse(kj::StringPtr what);
};

}  // namespace bothy
