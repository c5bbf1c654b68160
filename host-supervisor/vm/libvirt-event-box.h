#pragma once

#include <kj/async.h>
#include <kj/map.h>
#include <kj/mutex.h>
#include <kj/refcount.h>
#include <kj/string.h>
#include <kj/vector.h>

#include <atomic>
#include <deque>

namespace bothy {

// What libvirt tells of a domain.
struct LibvirtEvent {
  enum class Kind {
    POWERED_OFF,     // the guest turned itself off
    REBOOTED,        // the guest asked for a reboot
    CRASHED,         // the guest's kernel panicked
    STALLED,         // its CPUs stand still: a write found no room on the host's disk
    DEVICE_REMOVED,  // the guest let go of the device `device`
    STOPPED,         // the domain is gone; the last of its events
  };
  Kind kind;
  kj::String domain;
  kj::String device;
};

// Events on their way from libvirt's threads to the event loop.  One that waits already is not put a second time, as both would
// say the same; so a domain has few of them waiting whatever its QEMU reports, and no event of another one is lost.
class LibvirtEventBox final: public kj::AtomicRefcounted {
public:
  // Devices of a domain whose removals may wait; a further one takes the place of the first.  No machine has more.
  static constexpr size_t DEVICE_LIMIT = 8;

  // From any thread.
  void put(LibvirtEvent event) const;

  // The next event: a domain's in their order, and domains by turns.  One caller at a time; dropping the promise loses
  // none.
  kj::Promise<LibvirtEvent> take();

private:
  friend class LibvirtEventRegistration;

  struct Domain {
    kj::String name;
    std::deque<LibvirtEvent> events;
  };
  struct State {
    kj::HashMap<kj::String, kj::Own<Domain>> domains;
    // The same, in the order of their turns.
    std::deque<Domain*> turns;
    kj::Maybe<kj::Own<kj::CrossThreadPromiseFulfiller<void>>> reader;
  };
  kj::MutexGuarded<State> guarded;

  mutable std::atomic<unsigned> registrations = 0;
  // Events of older registrations are left out.
  mutable std::atomic<unsigned> oldestHeard = 0;
};

}  // namespace bothy
