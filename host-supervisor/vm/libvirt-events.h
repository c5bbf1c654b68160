#pragma once

#include <kj/function.h>
#include <kj/string.h>
#include <kj/timer.h>

#include "vm/libvirt-event-box.h"

struct _virConnect;

namespace bothy {

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

// Gives every event of `next` to `handle`, until `next` fails.  An event that cannot be handled is logged, and costs no other.  A QEMU
// that reports without end keeps nobody else waiting: after so many events everybody else on the event loop has a turn.
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
