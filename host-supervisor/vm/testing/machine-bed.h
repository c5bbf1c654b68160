#pragma once

#include <kj/async-io.h>

#include "loop/subreaper.h"
#include "vm/libvirt-driver.h"

namespace bothy {

// What a test with real machines needs: an event loop on the main thread, a driver whose files lie in
// `directory`, and specs whose guest is echo-guest.c.  Whatever still runs at the end is removed.  The driver's
// patience with QEMU is short.
class MachineBed final {
public:
  enum class Ownership { TEMPORARY, BORROWED };

  // A process can have one driver in its life: these are its directory, and its bed, made when first asked for.
  static kj::StringPtr processDirectory();
  static MachineBed& ofProcess();
  // The key of every disk.
  static Secret diskKey();

  // BORROWED leaves machines and files alone at the end.
  MachineBed(kj::StringPtr directory, Ownership ownership);
  ~MachineBed() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(MachineBed);

  // All that the driver has.
  void removeMachines();

  // Makes the machine's files too, unless they exist.  Its second disk has 64 MiB, encrypted.
  VmSpec spec(kj::StringPtr name, uint32_t number = 1);
  kj::String runtimeDir(kj::StringPtr name) { return kj::str(directory, "/run-", name); }
  kj::String disk(kj::StringPtr name) { return kj::str(directory, "/disk-", name); }
  // The driver's.
  kj::String driverRuntimeDir() { return kj::str(directory, "/runtime"); }
  kj::String readConsole(kj::StringPtr name);

  // Sends `line` to the guest and returns what it answers first; tries until the guest listens.
  kj::String ask(RunningVm& vm, kj::StringPtr line);
  // The same on a stream.
  kj::String ask(kj::AsyncIoStream& stream, kj::StringPtr line);
  // Sends `line` without waiting for an answer.
  void tell(RunningVm& vm, kj::StringPtr line);

  kj::AsyncIoContext io;
  Subreaper reaper;
  kj::String directory;
  kj::Own<VmDriver> driver;

private:
  Ownership ownership;

  void makeDisk(kj::StringPtr path);
  kj::Own<kj::AsyncIoStream> dialUntilUp(RunningVm& vm);
};

// The lowest user id of test machines: far from those of people and of a supervisor on the same host.
constexpr uint32_t BED_FIRST_UID = 965000;
constexpr uint32_t BED_KILL_SENDER = BED_FIRST_UID - 1;
// The guest's vsock port.
constexpr uint32_t BED_PORT = 1000;

}  // namespace bothy
