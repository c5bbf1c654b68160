#include "simulation/fault.h"

namespace bothy {

kj::StringPtr toString(Fault fault) {
  constexpr kj::StringPtr NAMES[] = {
      "write refused"_kj,
      "write of an end refused"_kj,
      "read refused"_kj,
      "store slow"_kj,
      "store in doubt, in"_kj,
      "store in doubt, out"_kj,
      "store taken over"_kj,
      "key refused"_kj,
      "key slow"_kj,
      "volume refused"_kj,
      "volume full"_kj,
      "volume slow"_kj,
      "files refused"_kj,
      "files full"_kj,
      "files slow"_kj,
      "image gone"_kj,
      "image broken"_kj,
      "libvirt says no"_kj,
      "libvirt says no and did it"_kj,
      "libvirt slow"_kj,
      "libvirt hangs"_kj,
      "domain fails at its start"_kj,
      "vsock device fails"_kj,
      "vsock device slow"_kj,
      "unplug ignored"_kj,
      "processes refused"_kj,
      "storage refused"_kj,
      "storage full"_kj,
      "storage slow"_kj,
      "machine ends"_kj,
      "vsock lost"_kj,
      "vsock worker lost"_kj,
      "domain forgotten"_kj,
      "pid file lost"_kj,
      "record damaged"_kj,
      "host disk full"_kj,
      "event lost"_kj,
      "event doubled"_kj,
      "clock jumps"_kj,
      "kill"_kj,
      "power cut"_kj,
      "guest silent"_kj,
      "guest panics"_kj,
      "guest reboots"_kj,
      "agent absent"_kj,
      "agent slow"_kj,
      "agent mute"_kj,
      "agent refuses secret"_kj,
      "agent of another generation"_kj,
      "agent breaks off"_kj,
      "power-off ignored"_kj,
      "client leaves"_kj,
  };
  static_assert(kj::size(NAMES) == FAULT_COUNT);
  return NAMES[static_cast<size_t>(fault)];
}

}  // namespace bothy
