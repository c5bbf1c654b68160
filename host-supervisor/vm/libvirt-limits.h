#pragma once

#include <kj/time.h>

#include <stddef.h>

namespace bothy {

// How long libvirt may take for a call from its beginning, and how many calls of it there may be.  What exceeds its limit
// fails with OVERLOADED.
struct LibvirtLimits {
  // Opening may ask QEMU for its abilities, creating starts it: both take seconds on a busy machine.
  kj::Duration open = 120 * kj::SECONDS;
  kj::Duration create = 60 * kj::SECONDS;
  // To write a machine's memory to a file, or to read it: as long as the largest takes on a slow disk.
  kj::Duration memory = 15 * kj::MINUTES;
  // libvirt asks QEMU to end and kills it after 10 s.
  kj::Duration destroy = 30 * kj::SECONDS;
  kj::Duration call = 20 * kj::SECONDS;
  // A machine whose QEMU libvirt has not ended by then is killed without it.
  kj::Duration kill = 12 * kj::SECONDS;
  // Calls of each kind (starts, ends, others) under way at once, those that take longer than `patience` not counted.
  size_t threads = 4;
  kj::Duration patience = 3 * kj::SECONDS;
  // Calls of a kind that may take longer, or hang, without holding up those of other machines.  Each holds a thread until
  // it ends; when so many and `threads` more hang, bothyd must be restarted.
  size_t slowCalls = 16;
  // The time that a call may wait for its turn, and how many may wait: of a kind, and of those for one machine.
  kj::Duration wait = 20 * kj::MINUTES;
  size_t waiting = 4096;
  size_t waitingOfMachine = 16;
};

}  // namespace bothy
