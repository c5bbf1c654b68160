#pragma once

#include <kj/async-io.h>

#include "loop/process-handle.h"
#include "loop/subreaper.h"
#include "vm/memory-export.h"
#include "vm/vsock-device.h"

namespace bothy {

// The processes that machines consist of, and the sockets by which they are reached.
class MachineProcesses {
public:
  // See ProcessHandle::open().
  virtual kj::Maybe<kj::Own<ProcessHandle>> open(pid_t pid) = 0;
  virtual kj::Maybe<kj::Own<ProcessHandle>> open(const ProcessIdentity& identity) = 0;

  // What a process has taken of the processors; from its end on all of it, where it was started by this process.  nullptr: it is not known, or no
  // more.
  class ProcessorTime {
  public:
    virtual kj::Maybe<kj::Duration> taken() const = 0;
  };
  virtual kj::Own<ProcessorTime> processorTime(const ProcessIdentity& identity) = 0;

  // All those of one user, see UserProcesses.
  virtual void signalAll(uint32_t user, int signum) = 0;
  virtual kj::Promise<void> killAll(uint32_t user) = 0;
  virtual bool isAnyRunning(uint32_t user, kj::StringPtr program) = 0;

  // See vm/vsock-device.h and vm/vsock-dial.h.
  virtual kj::Promise<kj::Own<ProcessHandle>> startVsockDevice(VsockDeviceSpec spec) = 0;
  virtual bool hasVsockWorker(pid_t device) = 0;
  virtual kj::Promise<kj::Own<kj::AsyncIoStream>> dialVsockDevice(kj::String socket, uint32_t user,
                                                                  uint32_t port) = 0;
  virtual kj::Promise<kj::Own<kj::AsyncIoStream>> dialKernelVsock(uint32_t cid, uint32_t port) = 0;

  // See vm/memory-export.h.
  virtual kj::Promise<kj::Own<MemoryExport>> exportMemory(MemoryExportSpec spec) = 0;

  // The console at the Unix socket of `user`'s QEMU, see vm/machine-socket.h.
  virtual kj::Promise<kj::Own<kj::AsyncIoStream>> openConsole(kj::StringPtr socket,
                                                              uint32_t user) = 0;
};

// Those of this host.  `io` and `reaper` outlive it.  `killSender`: see killAllOf().
kj::Own<MachineProcesses> newHostProcesses(kj::AsyncIoContext& io, Subreaper& reaper,
                                           uint32_t killSender);

}  // namespace bothy
