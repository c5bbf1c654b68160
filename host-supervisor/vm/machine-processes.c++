#include "vm/machine-processes.h"

#include "vm/machine-socket.h"
#include "vm/user-processes.h"
#include "vm/vsock-dial.h"

namespace bothy {
namespace {

class HostProcessorTime final: public MachineProcesses::ProcessorTime {
public:
  HostProcessorTime(Subreaper& reaper, const ProcessIdentity& identity)
      : identity(identity), account(reaper.follow(identity.pid)) {}
  kj::Maybe<kj::Duration> taken() const override {
    auto whole = account->taken();
    if (whole != nullptr) return whole;
    return processorTimeOf(identity);
  }

private:
  const ProcessIdentity identity;
  kj::Own<Subreaper::Account> account;
};

class HostProcesses final: public MachineProcesses {
public:
  HostProcesses(kj::AsyncIoContext& io, Subreaper& reaper, uint32_t killSender)
      : io(io), reaper(reaper), killSender(killSender) {}
  KJ_DISALLOW_COPY_AND_MOVE(HostProcesses);

  kj::Maybe<kj::Own<ProcessHandle>> open(pid_t pid) override {
    return ProcessHandle::open(io.unixEventPort, pid);
  }
  kj::Maybe<kj::Own<ProcessHandle>> open(const ProcessIdentity& identity) override {
    return ProcessHandle::open(io.unixEventPort, identity);
  }

  kj::Own<ProcessorTime> processorTime(const ProcessIdentity& identity) override {
    return kj::heap<HostProcessorTime>(reaper, identity);
  }

  void signalAll(uint32_t user, int signum) override { of(user).signal(signum); }
  kj::Promise<void> killAll(uint32_t user) override {
    auto processes = kj::heap<UserProcesses>(of(user));
    auto promise = processes->kill();
    return promise.attach(kj::mv(processes));
  }
  bool isAnyRunning(uint32_t user, kj::StringPtr program) override {
    return of(user).isAnyRunning(program);
  }

  kj::Promise<kj::Own<ProcessHandle>> startVsockDevice(VsockDeviceSpec spec) override {
    return bothy::startVsockDevice(io.unixEventPort, reaper, kj::mv(spec));
  }
  bool hasVsockWorker(pid_t device) override { return bothy::hasVsockWorker(device); }
  kj::Promise<kj::Own<kj::AsyncIoStream>> dialVsockDevice(kj::String socket, uint32_t user,
                                                          uint32_t port) override {
    return bothy::dialVsockDevice(*io.lowLevelProvider, kj::mv(socket), user, port);
  }
  kj::Promise<kj::Own<kj::AsyncIoStream>> dialKernelVsock(uint32_t cid, uint32_t port) override {
    return bothy::dialKernelVsock(*io.lowLevelProvider, cid, port);
  }

  kj::Promise<kj::Own<MemoryExport>> exportMemory(MemoryExportSpec spec) override {
    return bothy::exportMemory(io.unixEventPort, reaper, kj::mv(spec));
  }

  kj::Promise<kj::Own<kj::AsyncIoStream>> openConsole(kj::StringPtr socket,
                                                      uint32_t user) override {
    return kj::evalNow([&]() -> kj::Own<kj::AsyncIoStream> {
      return connectToMachine(*io.lowLevelProvider, socket, user);
    });
  }

private:
  kj::AsyncIoContext& io;
  Subreaper& reaper;
  const uint32_t killSender;

  UserProcesses of(uint32_t user) const {
    return UserProcesses(io.unixEventPort, user, killSender);
  }
};

}  // namespace

kj::Own<MachineProcesses> newHostProcesses(kj::AsyncIoContext& io, Subreaper& reaper,
                                           uint32_t killSender) {
  return kj::heap<HostProcesses>(io, reaper, killSender);
}

}  // namespace bothy
