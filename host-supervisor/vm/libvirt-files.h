#pragma once

#include "vm/libvirt-driver.h"

namespace bothy {

// What libvirt keeps of a machine in files.
class LibvirtFiles final {
public:
  LibvirtFiles(const LibvirtDriverSettings& settings, kj::StringPtr machine);

  kj::String pidFile() const;

  // Does with them what libvirt does not: none of them is for others, and the key with which libvirt enciphers
  // what it tells QEMU is erased, since QEMU has it, and the log has QEMU's arguments.  `number` is the
  // domain's.  Fails where they are not as they are known to be.
  //
  // A libvirt of the host's own keeps them as its administrator wants.
  void makePrivate(int number) const;

  // What is left when its processes have ended: the log, which libvirt never removes, and the control groups, which
  // it leaves when it is killed while it ends the machine.
  void removeRest() const;

private:
  kj::Maybe<kj::String> root;  // of the libvirt in this process
  kj::String machine;
};

}  // namespace bothy
