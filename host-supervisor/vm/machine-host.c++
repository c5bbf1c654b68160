#include "vm/machine-host.h"

#include "vm/accelerator-probe.h"

namespace bothy {

MachineHost::MachineHost(kj::Timer& timer, kj::Own<const LibvirtDriverSettings> settings,
                         HostAbilities abilities, kj::Own<MachineProcesses> processesParam,
                         kj::Own<MachineStorage> storageParam, kj::Own<LibvirtConnection> libvirt)
    : timer(timer),
      settings(kj::mv(settings)),
      abilities(kj::mv(abilities)),
      processes(kj::mv(processesParam)),
      storage(kj::mv(storageParam)),
      records(kj::heap<MachineRecords>(*storage)),
      libvirt(kj::mv(libvirt)),
      diskRoom(kj::heap<DiskRoom>(
          timer, [&storage = *storage](kj::StringPtr path) { return storage.measure(path); })) {}

uint32_t MachineHost::groupOf(uint32_t user) const {
  // A libvirt in this process has a /dev/kvm that needs no group.
  const bool isEmbedded = settings->uri.size() == 0;
  if (isEmbedded || abilities.accelerator != HostAbilities::Accelerator::KVM) return user;
  return kvmGroup(user).orDefault(user);
}

}  // namespace bothy
