#include "vm/libvirt-events.h"

#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include <string.h>

#include <kj/debug.h>
#include <kj/thread.h>

#include "vm/libvirt-error.h"

namespace bothy {

struct LibvirtEventRegistration::Listener {
  kj::Own<const LibvirtEventBox> box;
  unsigned number;

  void put(LibvirtEvent::Kind kind, virDomainPtr domain, kj::StringPtr device = nullptr) const {
    const char* name = virDomainGetName(domain);
    if (name == nullptr || number < box->oldestHeard) return;
    box->put(LibvirtEvent{kind, kj::str(name), kj::str(device)});
  }
};

namespace {

using Kind = LibvirtEvent::Kind;
using Listener = LibvirtEventRegistration::Listener;

void onMonitorEvent(virConnectPtr, virDomainPtr domain, const char* name, long long, unsigned int,
                    const char* details, void* opaque) {
  auto& listener = *static_cast<Listener*>(opaque);
  kj::StringPtr event = name;
  kj::StringPtr json = details == nullptr ? "" : details;
  if (event == "SHUTDOWN") {
    auto reason = jsonMember(json, "reason");
    if (reason == "guest-shutdown") listener.put(Kind::POWERED_OFF, domain);
    if (reason == "guest-reset") listener.put(Kind::REBOOTED, domain);
    if (reason == "guest-panic") listener.put(Kind::CRASHED, domain);
  } else if (event == "RESET") {
    listener.put(Kind::REBOOTED, domain);
  } else if (event == "GUEST_PANICKED") {
    listener.put(Kind::CRASHED, domain);
  } else if (event == "BLOCK_IO_ERROR") {
    // Other errors are the guest's to handle, and do not stop it.
    if (jsonMember(json, "action") == "stop") listener.put(Kind::STALLED, domain);
  } else if (event == "DEVICE_DELETED") {
    listener.put(Kind::DEVICE_REMOVED, domain, jsonMember(json, "device"));
  }
}

int onLifecycle(virConnectPtr, virDomainPtr domain, int event, int, void* opaque) {
  if (event == VIR_DOMAIN_EVENT_STOPPED) {
    static_cast<Listener*>(opaque)->put(Kind::STOPPED, domain);
  }
  return 0;
}

// libvirt calls it when it will not use what a registration took any more.
void release(void* opaque) {
  delete static_cast<Listener*>(opaque);
}

}  // namespace

kj::String jsonMember(kj::StringPtr json, kj::StringPtr key) {
  auto quoted = kj::str('"', key, "\":\"");
  const char* start = strstr(json.cStr(), quoted.cStr());
  if (start == nullptr) return nullptr;
  start += quoted.size();
  const char* end = strchr(start, '"');
  if (end == nullptr) return nullptr;
  return kj::heapString(start, end - start);
}

LibvirtEventRegistration::LibvirtEventRegistration(_virConnect* connection,
                                                   const LibvirtEventBox& box)
    : connection(connection) {
  KJ_ON_SCOPE_FAILURE(deregister());
  unsigned number = ++box.registrations;
  // libvirt owns the listener once it has taken it.
  auto enter = [&](auto&& call) {
    auto listener = new Listener{kj::atomicAddRef(box), number};
    int id = call(listener);
    if (id < 0) delete listener;
    return id;
  };
  monitorEvents = enter([&](void* listener) {
    return virConnectDomainQemuMonitorEventRegister(connection, nullptr, nullptr, onMonitorEvent,
                                                    listener, release, 0);
  });
  if (monitorEvents < 0) failOfLibvirt("register for QEMU's events");
  lifecycleEvents = enter([&](void* listener) {
    return virConnectDomainEventRegisterAny(connection, nullptr, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                            reinterpret_cast<virConnectDomainEventGenericCallback>(
                                                reinterpret_cast<void*>(onLifecycle)),
                                            listener, release);
  });
  if (lifecycleEvents < 0) failOfLibvirt("register for events");
  box.oldestHeard = number;
}

LibvirtEventRegistration::~LibvirtEventRegistration() {
  deregister();
}

void LibvirtEventRegistration::deregister() {
  if (monitorEvents >= 0) virConnectDomainQemuMonitorEventDeregister(connection, monitorEvents);
  if (lifecycleEvents >= 0) virConnectDomainEventDeregisterAny(connection, lifecycleEvents);
}

void startLibvirtEventLoop() {
  static bool isRunning = false;
  if (isRunning) return;
  virSetErrorFunc(nullptr, [](void*, virErrorPtr) {});  // errors reach people as exceptions
  if (virEventRegisterDefaultImpl() < 0) failOfLibvirt("register its event loop");
  isRunning = true;
  kj::Thread thread([]() {
    for (;;) {
      if (virEventRunDefaultImpl() < 0)
        KJ_LOG(ERROR, "libvirt's event loop", virGetLastErrorMessage());
    }
  });
  thread.detach();
}

kj::Promise<void> dispatchEvents(kj::Timer& timer, kj::Function<kj::Promise<LibvirtEvent>()> next,
                                 kj::Function<void(LibvirtEvent)> handle) {
  for (kj::uint events = 0;;) {
    // Only a timer lets everybody else have a turn.
    if (++events % TURN_EVENTS == 0) co_await timer.afterDelay(0 * kj::NANOSECONDS);
    auto event = co_await next();
    auto domain = kj::str(event.domain);
    KJ_IF_MAYBE (e, kj::runCatchingExceptions([&]() { handle(kj::mv(event)); })) {
      KJ_LOG(ERROR, "an event of a machine could not be handled", domain, *e);
    }
  }
}

}  // namespace bothy
