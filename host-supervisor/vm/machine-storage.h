#pragma once

#include <kj/async-io.h>
#include <kj/function.h>

#include "vm/console-tail.h"
#include "vm/disk-room.h"
#include "vm/libvirt-driver.h"
#include "vm/machine-files.h"
#include "vm/machine-record.h"

namespace bothy {

// What of machines lies on the host's disks: the driver's records, each machine's own files, and libvirt's of it.
class MachineStorage {
public:
  // See MachineRecord.  They take as long as the disk does: MachineRecords calls them.
  virtual void saveRecord(const MachineRecord& record) = 0;
  virtual void removeRecord(kj::StringPtr name) = 0;
  virtual bool hasRecord(kj::StringPtr name) = 0;
  virtual kj::Maybe<MachineRecord> loadRecord(kj::StringPtr name) = 0;
  virtual kj::Array<kj::String> listRecords() = 0;
  // Runs `work`, of those calls, where it holds up nobody else.  It comes to its end though the promise is dropped when it has begun; so
  // it owns what it uses, but this.  One call at a time.  What blocks nobody may run at once.
  virtual kj::Promise<void> runApart(kj::Function<void()> work) {
    return kj::evalNow([&work]() -> kj::Promise<void> {
      work();
      return kj::READY_NOW;
    });
  }

  // See MachineFiles.
  virtual void prepareFiles(const VmSpec& spec) = 0;
  virtual void removeSecret(const MachineFiles& files) = 0;
  virtual void makePrivate(kj::StringPtr path) = 0;
  // Takes as long as the disk does, or as much as there is.
  virtual kj::Promise<void> removeFiles(const MachineFiles& files) = 0;

  // See LibvirtFiles.  `user`: the machine's.
  //
  // nullptr: libvirt has no file of it, which it removes with the domain.
  virtual kj::Maybe<pid_t> qemuPid(kj::StringPtr name, uint32_t user) = 0;
  virtual void makeLibvirtFilesPrivate(kj::StringPtr name, uint32_t user, int number) = 0;
  virtual bool isMonitorWithheld(kj::StringPtr name, uint32_t user) = 0;
  // As removeFiles().
  virtual kj::Promise<void> removeLibvirtFiles(kj::StringPtr name, uint32_t user) = 0;

  // Appends what comes out of `console` to the file `log`, until its end, and resolves when that is in the file or the disk is slow; see
  // ConsoleLog.  Nothing waits for the file to be open.  `tail` outlives the promise.
  virtual kj::Promise<void> recordConsole(kj::StringPtr log, kj::Own<kj::AsyncIoStream> console,
                                          ConsoleTail& tail,
                                          kj::Own<kj::PromiseFulfiller<void>> firstWord) = 0;

  // See VmDriver.
  virtual kj::Promise<void> whenConsolesWritten() = 0;

  // See DiskRoom::measure().
  virtual kj::Maybe<DiskRoom::Space> measure(kj::StringPtr path) = 0;
};

// The disks of this host.  All outlives it.
kj::Own<MachineStorage> newHostStorage(kj::Timer& timer, const LibvirtDriverSettings& settings);

}  // namespace bothy
