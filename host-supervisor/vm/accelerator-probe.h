#pragma once

#include <kj/async-unix.h>
#include <kj/timer.h>

#include "loop/subreaper.h"
#include "vm/vm-driver.h"

namespace bothy {

// How long a guest of a few instructions may take under KVM.
constexpr kj::Duration ACCELERATOR_PROBE_LIMIT = 5 * kj::SECONDS;

struct AcceleratorFinding {
  HostAbilities::Accelerator accelerator;
  kj::String reason;  // why not KVM; empty where it is KVM
};

// Whether KVM runs guests here, found by running one (probe-guest.h) as `user`: a /dev/kvm that opens
// proves nothing.  The answer is kept in `stateDir` and holds until the host boots again.
kj::Promise<AcceleratorFinding> probeAccelerator(kj::UnixEventPort& port, Subreaper& reaper,
                                                 kj::StringPtr emulator, kj::StringPtr stateDir,
                                                 uint32_t user);

// Runs `rom` with QEMU's accelerator `accelerator`; why it failed, or nullptr if it did what the probe's
// guest does within `limit`.
kj::Promise<kj::Maybe<kj::String>> runProbeGuest(kj::UnixEventPort& port, Subreaper& reaper,
                                                 kj::StringPtr emulator, kj::StringPtr accelerator,
                                                 kj::StringPtr rom, uint32_t user, uint32_t group,
                                                 kj::Duration limit);

// The group that QEMU needs to open /dev/kvm as `user`; nullptr if it cannot.  Never root's.
kj::Maybe<uint32_t> kvmGroup(uint32_t user);

}  // namespace bothy
