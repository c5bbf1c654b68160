#pragma once

#include <kj/array.h>
#include <kj/string.h>

#include "loop/process-handle.h"

namespace bothy {

// What the driver must know of a machine after a restart: one file each in STATE/machines, written
// before anything of the machine exists and removed after all of it is gone.
struct MachineRecord {
  kj::String name;
  // Empty: it is not known any more.
  kj::String runtimeDir;
  uint32_t uid;
  // The vhost-user vsock device's process; pid 0 where the machine has the kernel's vsock.
  ProcessIdentity vsockDevice{0, 0};
  // Its CPUs were told to run, or will be at once; or it goes on with memory that was saved, and has that.
  bool cpusRun = false;
  // Its QEMU; pid 0 before that has started, and in records of the first bothyds.
  ProcessIdentity qemu{0, 0};

  MachineRecord clone() const;

  void save(kj::StringPtr stateDir) const;
  static void remove(kj::StringPtr stateDir, kj::StringPtr name);

  // Also of one that cannot be understood.
  static bool exists(kj::StringPtr stateDir, kj::StringPtr name);
  // nullptr if there is none, or it cannot be understood (then a message is logged).
  static kj::Maybe<MachineRecord> load(kj::StringPtr stateDir, kj::StringPtr name);
  static kj::Array<kj::String> list(kj::StringPtr stateDir);
};

}  // namespace bothy
