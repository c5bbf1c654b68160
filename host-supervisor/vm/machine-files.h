#pragma once

#include "vm/vm-driver.h"

namespace bothy {

// The files in a machine's runtime directory.  The directory is root's; the machine's user may pass
// through it, and owns `vsock` below it, where its vsock device makes sockets.
class MachineFiles final {
public:
  explicit MachineFiles(kj::StringPtr runtimeDir) : runtimeDir(kj::str(runtimeDir)) {}

  kj::String secret() const { return kj::str(runtimeDir, "/secret"); }
  kj::String console() const { return kj::str(runtimeDir, "/console"); }
  kj::String deviceSocket() const { return kj::str(runtimeDir, "/vsock/device"); }
  kj::String dialSocket() const { return kj::str(runtimeDir, "/vsock/dial"); }

  // Makes what `spec` needs and gives the data disk to the machine's user.
  void prepare(const VmSpec& spec, uint32_t group) const;
  // The secret is QEMU's own once it runs.
  void removeSecret() const;
  // Empties the directory.  No process of the machine may live.
  void removeAll() const;

private:
  kj::String runtimeDir;
};

}  // namespace bothy
