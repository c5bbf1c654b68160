#pragma once

#include "vm/vm-driver.h"

namespace bothy {

// The files in a machine's runtime directory.  It is root's, and so is `vsock` below it, where the machine's vsock device makes sockets
// while it starts (vm/vsock-device.h): the machine's user passes through both, and makes nothing there.
class MachineFiles final {
public:
  explicit MachineFiles(kj::StringPtr runtimeDir) : runtimeDir(kj::str(runtimeDir)) {}

  MachineFiles clone() const { return MachineFiles(runtimeDir); }

  kj::String secret() const { return kj::str(runtimeDir, "/secret"); }
  kj::String console() const { return kj::str(runtimeDir, "/console"); }
  kj::String deviceSocket() const { return kj::str(runtimeDir, "/vsock/device"); }
  kj::String dialSocket() const { return kj::str(runtimeDir, "/vsock/dial"); }
  // See MemoryExport: root's.
  kj::String memory() const { return kj::str(runtimeDir, "/memory"); }

  // Makes what `spec` needs but its data disk, which is its user's already.
  void prepare(const VmSpec& spec) const;
  // The secret is QEMU's own once it runs.
  void removeSecret() const;
  // Empties the directory.  No process of the machine may live.
  void removeAll() const;

private:
  kj::String runtimeDir;
};

// Takes from everybody but its owner what a file or socket of another program's making lets them do (S17).  A
// symbolic link is refused: the machine's user may have put it there.
void makePrivate(kj::StringPtr path);

}  // namespace bothy
