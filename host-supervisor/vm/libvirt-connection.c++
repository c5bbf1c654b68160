#include "vm/libvirt-connection.h"

#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include <stdlib.h>
#include <string.h>

#include <utility>

#include <kj/debug.h>
#include <kj/thread.h>

#include "loop/inbox.h"
#include "loop/worker-thread.h"
#include "vm/hidden-kvm.h"

namespace bothy {
namespace {

// Opening may ask QEMU for its abilities, creating starts it: both take seconds on a busy machine.
constexpr kj::Duration OPEN_LIMIT = 120 * kj::SECONDS;
constexpr kj::Duration CREATE_LIMIT = 60 * kj::SECONDS;
constexpr kj::Duration DESTROY_LIMIT = 60 * kj::SECONDS;
constexpr kj::Duration CALL_LIMIT = 20 * kj::SECONDS;
constexpr size_t EVENT_LIMIT = 4096;

using Event = LibvirtConnection::Event;

struct CloseConnection {
  static void dispose(virConnectPtr connection) { virConnectClose(connection); }
};
struct FreeDomain {
  static void dispose(virDomainPtr domain) { virDomainFree(domain); }
};

// Owns one of libvirt's references.
template <typename T, typename Release>
class Handle final {
public:
  Handle() = default;
  explicit Handle(T* pointer) : pointer(pointer) {}
  Handle(Handle&& other) : pointer(other.pointer) { other.pointer = nullptr; }
  Handle& operator=(Handle&& other) {
    std::swap(pointer, other.pointer);
    return *this;
  }
  ~Handle() {
    if (pointer != nullptr) Release::dispose(pointer);
  }
  T* get() const { return pointer; }

private:
  T* pointer = nullptr;
};
using ConnectionHandle = Handle<virConnect, CloseConnection>;
using DomainHandle = Handle<virDomain, FreeDomain>;

[[noreturn]] void fail(kj::StringPtr call) {
  const char* message = virGetLastErrorMessage();
  kj::throwFatalException(kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                                        kj::str("libvirt could not ", call, ": ", message)));
}

bool lastErrorIsGone() {
  int code = virGetLastErrorCode();
  // "Requested operation is not valid: domain is not running" is how a domain on its way out answers.
  return code == VIR_ERR_NO_DOMAIN || code == VIR_ERR_OPERATION_INVALID;
}

struct EventBox final: public kj::AtomicRefcounted {
  Inbox<Event> inbox{EVENT_LIMIT};
};

void put(void* opaque, Event::Kind kind, virDomainPtr domain, kj::StringPtr device = nullptr) {
  const char* name = virDomainGetName(domain);
  if (name == nullptr) return;
  auto& box = *static_cast<kj::Own<const EventBox>*>(opaque);
  box->inbox.put(Event{kind, kj::str(name), kj::str(device)});
}

// The value of the string member `key` of a JSON object without nesting that QEMU wrote.
kj::String jsonMember(kj::StringPtr json, kj::StringPtr key) {
  auto quoted = kj::str('"', key, "\":\"");
  const char* start = strstr(json.cStr(), quoted.cStr());
  if (start == nullptr) return nullptr;
  start += quoted.size();
  const char* end = strchr(start, '"');
  if (end == nullptr) return nullptr;
  return kj::heapString(start, end - start);
}

void onMonitorEvent(virConnectPtr, virDomainPtr domain, const char* name, long long, unsigned int,
                    const char* details, void* opaque) {
  kj::StringPtr event = name;
  kj::StringPtr json = details == nullptr ? "" : details;
  if (event == "SHUTDOWN") {
    auto reason = jsonMember(json, "reason");
    if (reason == "guest-shutdown") put(opaque, Event::Kind::POWERED_OFF, domain);
    if (reason == "guest-reset") put(opaque, Event::Kind::REBOOTED, domain);
    if (reason == "guest-panic") put(opaque, Event::Kind::CRASHED, domain);
  } else if (event == "RESET") {
    put(opaque, Event::Kind::REBOOTED, domain);
  } else if (event == "GUEST_PANICKED") {
    put(opaque, Event::Kind::CRASHED, domain);
  } else if (event == "DEVICE_DELETED") {
    put(opaque, Event::Kind::DEVICE_REMOVED, domain, jsonMember(json, "device"));
  }
}

int onLifecycle(virConnectPtr, virDomainPtr domain, int event, int, void* opaque) {
  if (event == VIR_DOMAIN_EVENT_STOPPED) put(opaque, Event::Kind::STOPPED, domain);
  return 0;
}

// libvirt calls it when it will not use the reference that a registration took any more.
void releaseBox(void* opaque) {
  delete static_cast<kj::Own<const EventBox>*>(opaque);
}

void* newBoxReference(const EventBox& box) {
  return new kj::Own<const EventBox>(kj::atomicAddRef(box));
}

// libvirt's event loop: it serves every connection of the process, is started once, and never ends.
void startEventLoop() {
  static bool isRunning = false;
  if (isRunning) return;
  virSetErrorFunc(nullptr, [](void*, virErrorPtr) {});  // errors reach people as exceptions
  if (virEventRegisterDefaultImpl() < 0) fail("register its event loop");
  isRunning = true;
  kj::Thread thread([]() {
    for (;;) {
      if (virEventRunDefaultImpl() < 0)
        KJ_LOG(ERROR, "libvirt's event loop", virGetLastErrorMessage());
    }
  });
  thread.detach();
}

// Lives on the worker thread.
struct World {
  ConnectionHandle connection;
  int monitorEvents = -1;
  int lifecycleEvents = -1;

  void open(const LibvirtConnection::Settings& settings, const EventBox& box) {
    if (settings.hidesKvm) hideKvm();
    startEventLoop();
    connection = ConnectionHandle(virConnectOpen(settings.uri.cStr()));
    if (connection.get() == nullptr) fail("open its connection");
    monitorEvents = virConnectDomainQemuMonitorEventRegister(
        connection.get(), nullptr, nullptr, onMonitorEvent, newBoxReference(box), releaseBox, 0);
    if (monitorEvents < 0) fail("register for QEMU's events");
    lifecycleEvents =
        virConnectDomainEventRegisterAny(connection.get(), nullptr, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                         reinterpret_cast<virConnectDomainEventGenericCallback>(
                                             reinterpret_cast<void*>(onLifecycle)),
                                         newBoxReference(box), releaseBox);
    if (lifecycleEvents < 0) fail("register for events");
  }

  // On any thread, once no call is under way.
  ~World() {
    if (connection.get() == nullptr) return;
    if (monitorEvents >= 0) {
      virConnectDomainQemuMonitorEventDeregister(connection.get(), monitorEvents);
    }
    if (lifecycleEvents >= 0) {
      virConnectDomainEventDeregisterAny(connection.get(), lifecycleEvents);
    }
  }

  DomainHandle find(kj::StringPtr name) {
    return DomainHandle(virDomainLookupByName(connection.get(), name.cStr()));
  }
};

}  // namespace

class LibvirtConnectionImpl final: public LibvirtConnection {
public:
  explicit LibvirtConnectionImpl(kj::Timer& timer)
      : events(kj::atomicRefcounted<EventBox>()), worker(timer, "libvirt") {}

  kj::Promise<void> connect(Settings settings) {
    return worker.run("open", OPEN_LIMIT,
                      [this, settings = kj::mv(settings)]() { world.open(settings, *events); });
  }

  ~LibvirtConnectionImpl() noexcept(false) {}

  kj::Promise<Event> nextEvent() override { return events->inbox.take(); }

  kj::Promise<void> create(kj::String xml) override {
    return worker.run("create", CREATE_LIMIT, [this, xml = kj::mv(xml)]() {
      DomainHandle domain(
          virDomainCreateXML(world.connection.get(), xml.cStr(), VIR_DOMAIN_START_PAUSED));
      if (domain.get() == nullptr) fail("start the machine");
    });
  }

  kj::Promise<void> resume(kj::StringPtr name) override {
    return worker.run("resume", CALL_LIMIT, [this, name = kj::str(name)]() {
      auto domain = world.find(name);
      if (domain.get() == nullptr || virDomainResume(domain.get()) < 0) fail("run the machine");
    });
  }

  kj::Promise<void> destroy(kj::StringPtr name) override {
    return worker.run("destroy", DESTROY_LIMIT, [this, name = kj::str(name)]() {
      auto domain = world.find(name);
      if (domain.get() == nullptr) {
        if (lastErrorIsGone()) return;
        fail("find the machine");
      }
      if (virDomainDestroy(domain.get()) < 0 && !lastErrorIsGone()) fail("end the machine");
    });
  }

  kj::Promise<kj::String> monitor(kj::StringPtr name, kj::String command) override {
    return worker.run(
        "monitor command", CALL_LIMIT, [this, name = kj::str(name), command = kj::mv(command)]() {
          auto domain = world.find(name);
          char* answer = nullptr;
          KJ_DEFER(free(answer));
          if (domain.get() == nullptr ||
              virDomainQemuMonitorCommand(domain.get(), command.cStr(), &answer, 0) < 0) {
            fail("reach the machine's monitor");
          }
          auto text = kj::str(answer);
          if (!text.startsWith("{\"return\"")) {
            kj::throwFatalException(
                kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                              kj::str("QEMU refused a command: ", jsonMember(text, "desc"))));
          }
          return text;
        });
  }

  kj::Promise<kj::Array<Domain>> list() override {
    return worker.run("list", CALL_LIMIT, [this]() {
      virDomainPtr* found = nullptr;
      int count = virConnectListAllDomains(world.connection.get(), &found, 0);
      if (count < 0) fail("list its machines");
      KJ_DEFER(free(found));
      auto domains = kj::heapArrayBuilder<Domain>(count);
      for (int i = 0; i < count; i++) {
        DomainHandle domain(found[i]);
        int state = VIR_DOMAIN_NOSTATE;
        virDomainGetState(domain.get(), &state, nullptr, 0);
        domains.add(Domain{kj::str(virDomainGetName(domain.get())), state == VIR_DOMAIN_RUNNING});
      }
      return domains.finish();
    });
  }

private:
  kj::Own<EventBox> events;
  World world;
  // Last, so that it has stopped before what its jobs use goes.
  WorkerThread worker;
};

kj::Promise<kj::Own<LibvirtConnection>> LibvirtConnection::open(kj::Timer& timer,
                                                                Settings settings) {
  // Its failures reach people as exceptions; what it logs besides, every end of a machine among it,
  // says no more.  Set here and not on its thread, where changing the environment would be less safe.
  setenv("LIBVIRT_LOG_OUTPUTS", "4:file:/dev/null", 0);
  auto connection = kj::heap<LibvirtConnectionImpl>(timer);
  co_await connection->connect(kj::mv(settings));
  co_return kj::mv(connection);
}

}  // namespace bothy
