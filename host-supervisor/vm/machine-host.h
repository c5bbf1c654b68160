#pragma once

#include <kj/refcount.h>
#include <kj/timer.h>
#include <kj/vector.h>

#include "vm/disk-room.h"
#include "vm/libvirt-connection.h"
#include "vm/libvirt-driver.h"
#include "vm/machine-processes.h"
#include "vm/machine-records.h"
#include "vm/machine-storage.h"

namespace bothy {

// One of what is counted, as long as it lives.
class Counted final {
public:
  struct Count final: public kj::Refcounted {
    size_t value = 0;
  };
  explicit Counted(Count& count) : count(kj::addRef(count)) { ++count.value; }
  ~Counted() noexcept(false) { --count->value; }
  KJ_DISALLOW_COPY_AND_MOVE(Counted);

private:
  kj::Own<Count> count;
};

// What all machines of a driver share; outlives them.  Whatever the driver does to the world, it does by `libvirt`, `processes` and
// `storage`.
struct MachineHost {
  MachineHost(kj::Timer& timer, kj::Own<const LibvirtDriverSettings> settings,
              HostAbilities abilities, kj::Own<MachineProcesses> processes,
              kj::Own<MachineStorage> storage, kj::Own<LibvirtConnection> libvirt);

  kj::Timer& timer;
  kj::Own<const LibvirtDriverSettings> settings;
  HostAbilities abilities;
  kj::Own<MachineProcesses> processes;
  kj::Own<MachineStorage> storage;
  kj::Own<MachineRecords> records;
  kj::Own<LibvirtConnection> libvirt;
  kj::Own<DiskRoom> diskRoom;
  // Objects of machines, also where they outlive the driver.
  kj::Own<Counted::Count> objects = kj::refcounted<Counted::Count>();
  kj::Maybe<VmDriver::Events&> listener;
  // Nothing is dialled: see VmDriver::whenNotDialling().
  bool holdsDials = false;
  // What machines had taken when they ended, until somebody has asked for it.
  kj::Vector<VmConsumption> ended;

  // The group of the QEMU that runs as `user`: that user's own, unless a libvirt of the host's own needs another to open
  // /dev/kvm.
  uint32_t groupOf(uint32_t user) const;
};

// See openLibvirtDriver().
kj::Own<CountedVmDriver> newLibvirtDriver(MachineHost host);

}  // namespace bothy
