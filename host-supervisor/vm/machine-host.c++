#include "vm/machine-host.h"

#include "vm/accelerator-probe.h"

namespace bothy {

uint32_t MachineHost::groupOf(uint32_t user) const {
  // A libvirt in this process has a /dev/kvm that needs no group.
  const bool isEmbedded = settings.uri.size() == 0;
  if (isEmbedded || abilities.accelerator != HostAbilities::Accelerator::KVM) return user;
  return kvmGroup(user).orDefault(user);
}

kj::Promise<kj::Maybe<kj::Exception>> outcomeOf(kj::Promise<void> promise) {
  return promise.then([]() -> kj::Maybe<kj::Exception> { return nullptr; },
                      [](kj::Exception&& e) -> kj::Maybe<kj::Exception> { return kj::mv(e); });
}

}  // namespace bothy
