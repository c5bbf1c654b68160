#pragma once

#include <kj/timer.h>

#include "vm/disk-room.h"
#include "vm/libvirt-connection.h"
#include "vm/vm-driver.h"

namespace bothy {

// QEMU stops the CPUs of a machine whose write finds no room on the host's disk (werror=enospc), keeps the write, and
// tries it again when it is told to go on.  This tells it, as soon as there is room.
class DiskStall final {
public:
  // Everything outlives it.  `room` is the same for all machines; `disk` is this one's, on the file system that has to
  // have room.
  DiskStall(kj::Timer& timer, LibvirtConnection& libvirt, DiskRoom& room,
            kj::Maybe<VmDriver::Events&>& listener, kj::StringPtr machine, kj::StringPtr disk)
      : timer(timer),
        libvirt(libvirt),
        room(room),
        listener(listener),
        machine(machine),
        disk(disk) {}
  KJ_DISALLOW_COPY_AND_MOVE(DiskStall);

  // QEMU says that it has stopped the CPUs.  Any number of times, and up to a second late: QEMU 10 says it of a
  // second write that found no room when the machine may already run again.
  void begin();
  bool isUnderWay() const { return waiting != nullptr; }
  // Resolves when it is over; at once where there is none.
  kj::Promise<void> whenOver();
  // Nothing lets it go on until release(): the machine is paused.
  void hold();
  void release();
  // The machine is on its end: nothing is to go on.
  void abandon();

private:
  kj::Timer& timer;
  LibvirtConnection& libvirt;
  DiskRoom& room;
  kj::Maybe<VmDriver::Events&>& listener;
  const kj::StringPtr machine;
  const kj::StringPtr disk;
  struct Waiting {
    kj::ForkedPromise<void> over;
    kj::Own<kj::PromiseFulfiller<void>> fulfiller;
    bool isTold = false;
  };
  kj::Maybe<Waiting> waiting;
  bool isHeld = false;
  // QEMU has said so since the CPUs were last told to go on.
  bool recurred = false;
  kj::Promise<void> task = kj::READY_NOW;

  void start();
  kj::Promise<void> run();
  void end();
};

}  // namespace bothy
