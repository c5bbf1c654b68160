#pragma once

#include <kj/function.h>
#include <kj/refcount.h>
#include <kj/string.h>
#include <kj/timer.h>

#include <atomic>

#include "loop/inbox.h"

struct _virConnect;

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

// Where events go, from whatever thread.
class LibvirtEventBox final: public kj::AtomicRefcounted {
public:
  // One caller at a time.
  kj::Promise<LibvirtEvent> take() { return inbox.take(); }

private:
  friend class LibvirtEventRegistration;
  static constexpr size_t EVENT_LIMIT = 4096;

  Inbox<LibvirtEvent> inbox{EVENT_LIMIT};
  mutable std::atomic<unsigned> registrations = 0;
  // Events of older registrations are left out.
  mutable std::atomic<unsigned> oldestHeard = 0;
};

// Fills the box with the events of all domains of a connection, until it is dropped or a later registration
// is complete.  While both are heard an event may come twice, but none is lost.
class LibvirtEventRegistration final {
public:
  // Throws when libvirt refuses.
  LibvirtEventRegistration(_virConnect* connection, const LibvirtEventBox& box);
  ~LibvirtEventRegistration();
  KJ_DISALLOW_COPY_AND_MOVE(LibvirtEventRegistration);

  // What libvirt's callbacks are given.
  struct Listener;

private:
  _virConnect* connection;
  int monitorEvents = -1;
  int lifecycleEvents = -1;

  void deregister();
};

// Gives every event of `next` to `handle`, until `next` fails.  A QEMU that reports without end keeps nobody else waiting: after so many
// events everybody else on the event loop has a turn.
constexpr kj::uint TURN_EVENTS = 64;
kj::Promise<void> dispatchEvents(kj::Timer& timer, kj::Function<kj::Promise<LibvirtEvent>()> next,
                                 kj::Function<void(LibvirtEvent)> handle);

// Starts libvirt's event loop, which serves every connection of the process and never ends; once, before the
// first connection is opened.
void startLibvirtEventLoop();

// The value of the string member `key` of a JSON object without nesting that QEMU wrote; empty if there is
// none.
kj::String jsonMember(kj::StringPtr json, kj::StringPtr key);

}  // namespace bothy
