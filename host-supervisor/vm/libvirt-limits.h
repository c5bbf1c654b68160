#pragma once

#include <kj/time.h>

#include <stddef.h>

namespace bothy {

// How long libvirt may take.  What exceeds its limit fails with OVERLOADED.
struct LibvirtLimits {
  // Opening may ask QEMU for its abilities, creating starts it: both take seconds on a busy machine.
  kj::Duration open = 120 * kj::SECONDS;
  kj::Duration create = 60 * kj::SECONDS;
  // libvirt asks QEMU to end and kills it after 10 s.
  kj::Duration destroy = 30 * kj::SECONDS;
  kj::Duration call = 20 * kj::SECONDS;
  // A machine whose QEMU libvirt has not ended by then is killed without it.
  kj::Duration kill = 12 * kj::SECONDS;
  // Calls of a kind (starts, ends, others) that may hang at once.  Each holds a thread until it ends.
  size_t hungCalls = 8;
};

}  // namespace bothy
