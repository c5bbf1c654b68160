#pragma once

#include <stdint.h>

#include "doctor/finding.h"
#include "doctor/host-facts.h"

namespace bothy {

// What machines are made with, found by trying and asking.
struct Machinery {
  bool runsKvm;
  // Why not, for people; empty where KVM runs guests.
  kj::String acceleratorReason;

  bool hasKernelVsock;
  kj::String vsockReason;
  // The program that stands in for the kernel's vsock, absolute path.
  kj::String vsockDevice;

  // The library's version.
  kj::String libvirt;
  // What QEMU says of its version, or why it says nothing; one is empty.
  kj::String emulator;
  kj::String emulatorFault;
  // The program by which a machine's memory is encrypted on its way to the disk, absolute path.
  kj::String storageDaemon = nullptr;
};

Finding checkAccelerator(const Machinery& machinery);
Finding checkVsock(const HostFacts& facts, const Machinery& machinery);
// Who can dial a guest over the kernel's vsock.
Finding checkVsockNamespace(const HostFacts& facts, const Machinery& machinery);
Finding checkLibvirt(const Machinery& machinery);
Finding checkEmulator(const Machinery& machinery);
// Whether machines can hibernate, beside /dev/fuse.
Finding checkStorageDaemon(const HostFacts& facts, const Machinery& machinery);
// `version` as CAPNP_VERSION has it; KJ has the same.
Finding checkRpcLibrary(uint32_t version);

}  // namespace bothy
