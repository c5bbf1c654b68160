#pragma once

#include "simulation/simulated-disk.h"
#include "vm/machine-storage.h"

namespace bothy {

// The driver's files, in memory; what the real ones do on threads may be late.
class SimulatedStorage final: public MachineStorage, private kj::TaskSet::ErrorHandler {
public:
  SimulatedStorage(SimulatedHost& host, Lifetime& lifetime);
  ~SimulatedStorage() noexcept(false) { presence->isOver = true; }
  KJ_DISALLOW_COPY_AND_MOVE(SimulatedStorage);

  void saveRecord(const MachineRecord& record) override;
  void removeRecord(kj::StringPtr name) override;
  bool hasRecord(kj::StringPtr name) override;
  kj::Maybe<MachineRecord> loadRecord(kj::StringPtr name) override;
  kj::Array<kj::String> listRecords() override;
  kj::Promise<void> runApart(kj::Function<void()> work) override;
  void prepareFiles(const VmSpec& spec) override;
  void removeSecret(const MachineFiles& files) override;
  void makePrivate(kj::StringPtr path) override;
  kj::Promise<void> removeFiles(const MachineFiles& files) override;
  kj::Maybe<pid_t> qemuPid(kj::StringPtr name, uint32_t user) override;
  void makeLibvirtFilesPrivate(kj::StringPtr name, uint32_t user, int number) override;
  bool isMonitorWithheld(kj::StringPtr name, uint32_t user) override;
  kj::Promise<void> removeLibvirtFiles(kj::StringPtr name, uint32_t user) override;
  kj::Promise<void> recordConsole(kj::StringPtr log, kj::Own<kj::AsyncIoStream> console,
                                  ConsoleTail& tail,
                                  kj::Own<kj::PromiseFulfiller<void>> firstWord) override;
  kj::Promise<void> whenConsolesWritten() override { return writes.onEmpty(); }
  kj::Maybe<DiskRoom::Space> measure(kj::StringPtr path) override;

private:
  struct Presence final: public kj::Refcounted {
    bool isOver = false;
  };

  SimulatedHost& host;
  Lifetime& lifetime;
  kj::Own<Presence> presence = kj::refcounted<Presence>();
  SimulatedDisk removals, openings, writings, records;
  // What consoles have said is written though nobody waits for it.
  kj::TaskSet writes;

  struct Log;

  void mayRefuse(kj::StringPtr what, kj::StringPtr name);
  void mayBeFull(kj::StringPtr what, kj::StringPtr name);
  kj::Promise<void> read(kj::AsyncIoStream& console, ConsoleTail& tail,
                         kj::PromiseFulfiller<void>& firstWord, Log& log);
  void write(Log& log, kj::ArrayPtr<const char> said);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
