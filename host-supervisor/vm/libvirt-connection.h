#pragma once

#include <kj/async.h>
#include <kj/string.h>
#include <kj/timer.h>

namespace bothy {

// libvirt, as far as the driver needs it, on a thread of its own.  Each call has a deadline and fails
// with OVERLOADED when libvirt does not answer within it, with FAILED when libvirt says no.
//
// Domains outlive the connection and the process.  Dropping it closes it.
class LibvirtConnection {
public:
  struct Settings {
    kj::String uri;
    // A place without /dev/kvm for libvirt: where KVM is unusable, libvirt that sees the device asks
    // QEMU for its abilities again and again.
    bool hidesKvm;
  };

  static kj::Promise<kj::Own<LibvirtConnection>> open(kj::Timer& timer, Settings settings);

  struct Event {
    enum class Kind {
      POWERED_OFF,     // the guest turned itself off
      REBOOTED,        // the guest asked for a reboot
      CRASHED,         // the guest's kernel panicked
      DEVICE_REMOVED,  // the guest let go of the device `device`
      STOPPED,         // the domain is gone; the last of its events
    };
    Kind kind;
    kj::String domain;
    kj::String device;
  };

  // The next event of any domain.  One caller at a time.
  virtual kj::Promise<Event> nextEvent() = 0;

  // A transient domain whose CPUs do not run yet.
  virtual kj::Promise<void> create(kj::String xml) = 0;
  virtual kj::Promise<void> resume(kj::StringPtr name) = 0;
  // Success also for a domain that does not exist, or ends meanwhile.
  virtual kj::Promise<void> destroy(kj::StringPtr name) = 0;

  // One command in QEMU's JSON; fails when QEMU answers with an error.  The answer as JSON.
  virtual kj::Promise<kj::String> monitor(kj::StringPtr name, kj::String command) = 0;

  struct Domain {
    kj::String name;
    bool isRunning;  // not paused, not on its way down
  };
  virtual kj::Promise<kj::Array<Domain>> list() = 0;
};

}  // namespace bothy
