#include "vm/libvirt-session.h"

#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include <stdlib.h>

#include <utility>

#include <kj/debug.h>
#include <kj/vector.h>

#include "vm/embedded-secrets.h"
#include "vm/libvirt-error.h"
#include "vm/xml-writer.h"

namespace bothy {
namespace {

struct CloseConnection {
  static void dispose(virConnectPtr connection) { virConnectClose(connection); }
};
struct FreeDomain {
  static void dispose(virDomainPtr domain) { virDomainFree(domain); }
};
struct RemoveSecret {
  static void dispose(virSecretPtr secret) {
    if (virSecretUndefine(secret) < 0) {
      KJ_LOG(ERROR, "libvirt keeps the passphrase of a disk", virGetLastErrorMessage());
    }
    virSecretFree(secret);
  }
};

// Owns one of libvirt's references.
template <typename T, typename Release>
class Handle final {
public:
  Handle() = default;
  explicit Handle(T* pointer) : pointer(pointer) {}
  Handle(Handle&& other) : pointer(std::exchange(other.pointer, nullptr)) {}
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
using SecretHandle = Handle<virSecret, RemoveSecret>;

LibvirtDomain::Condition conditionOf(virDomainPtr domain) {
  using Condition = LibvirtDomain::Condition;
  int state = VIR_DOMAIN_NOSTATE, reason = 0;
  if (virDomainGetState(domain, &state, &reason, 0) < 0) {
    // It went away meanwhile.
    if (libvirtSaysGone()) return Condition::ENDED;
    failOfLibvirt("look at a machine");
  }
  switch (state) {
    case VIR_DOMAIN_RUNNING:
    case VIR_DOMAIN_BLOCKED:
      return Condition::RUNS;
    case VIR_DOMAIN_PAUSED:
      if (reason == VIR_DOMAIN_PAUSED_IOERROR) return Condition::STALLED;
      return reason == VIR_DOMAIN_PAUSED_SHUTTING_DOWN || reason == VIR_DOMAIN_PAUSED_CRASHED
                 ? Condition::ENDED
                 : Condition::PAUSED;
    default:
      return Condition::ENDED;
  }
}

ConnectionHandle connectTo(kj::StringPtr uri) {
  ConnectionHandle connection(virConnectOpen(uri.cStr()));
  if (connection.get() == nullptr) failOfLibvirt("open its connection");
  return connection;
}

// Kept in memory only, and told to nobody but the driver that starts QEMU.  It is found by its usage: a random
// id would leave one behind with a libvirt of the host's own when this program is killed in between.
kj::String secretXml(kj::StringPtr usage) {
  XmlWriter xml;
  xml.open("secret", {{"ephemeral", "yes"}, {"private", "yes"}});
  xml.open("usage", {{"type", "volume"}});
  xml.text("volume", usage);
  xml.close();
  xml.close();
  return xml.finish();
}

SecretHandle define(virConnectPtr connection, const DiskPassphrase& passphrase) {
  {
    // Removed with its handle.
    SecretHandle ofKilledPredecessor(
        virSecretLookupByUsage(connection, VIR_SECRET_USAGE_TYPE_VOLUME, passphrase.usage.cStr()));
  }
  SecretHandle secret(virSecretDefineXML(connection, secretXml(passphrase.usage).cStr(), 0));
  if (secret.get() == nullptr) failOfLibvirt("take the passphrase of a disk");
  auto text = passphrase.text.bytes();
  if (virSecretSetValue(secret.get(), text.begin(), text.size(), 0) < 0) {
    failOfLibvirt("take the passphrase of a disk");
  }
  return secret;
}

class LibvirtSessionImpl final: public LibvirtSession {
public:
  LibvirtSessionImpl(const Place& place, const LibvirtEventBox& box)
      : connection(prepareAndConnect(place)),
        secrets(place.secretUri.size() > 0 ? connectTo(place.secretUri) : ConnectionHandle()),
        events(connection.get(), box) {}

  bool isAlive() const override { return virConnectIsAlive(connection.get()) == 1; }

  int create(kj::StringPtr xml, const DiskPassphrase& passphrase) const override {
    if (secrets.get() != nullptr) shareSecretsOnThread(secrets.get());
    auto secret = define(secrets.get() != nullptr ? secrets.get() : connection.get(), passphrase);
    DomainHandle domain(virDomainCreateXML(connection.get(), xml.cStr(), VIR_DOMAIN_START_PAUSED));
    if (domain.get() == nullptr) failOfLibvirt("start the machine");
    return virDomainGetID(domain.get());
  }

  void resume(kj::StringPtr name) const override {
    auto domain = find(name);
    if (domain.get() == nullptr) failOfLibvirt("run the machine");
    if (conditionOf(domain.get()) == LibvirtDomain::Condition::RUNS) return;
    if (virDomainResume(domain.get()) < 0) failOfLibvirt("run the machine");
  }

  void pause(kj::StringPtr name) const override {
    auto domain = find(name);
    if (domain.get() == nullptr || virDomainSuspend(domain.get()) < 0) {
      failOfLibvirt("stop the machine's processors");
    }
  }

  void destroy(kj::StringPtr name) const override {
    auto domain = find(name);
    if (domain.get() == nullptr) {
      if (libvirtSaysGone()) return;
      failOfLibvirt("find the machine");
    }
    if (virDomainDestroy(domain.get()) < 0 && !libvirtSaysGone()) failOfLibvirt("end the machine");
  }

  void save(kj::StringPtr name, kj::StringPtr path) const override {
    auto domain = find(name);
    if (domain.get() == nullptr ||
        virDomainSaveFlags(domain.get(), path.cStr(), nullptr, VIR_DOMAIN_SAVE_PAUSED) < 0) {
      failOfLibvirt("save the machine's memory");
    }
  }

  int restore(kj::StringPtr name, kj::StringPtr path, kj::StringPtr xml,
              const DiskPassphrase& passphrase) const override {
    if (secrets.get() != nullptr) shareSecretsOnThread(secrets.get());
    auto secret = define(secrets.get() != nullptr ? secrets.get() : connection.get(), passphrase);
    if (virDomainRestoreFlags(connection.get(), path.cStr(), xml.cStr(), VIR_DOMAIN_SAVE_PAUSED) <
        0) {
      failOfLibvirt("go on with the machine's memory");
    }
    auto domain = find(name);
    if (domain.get() == nullptr) failOfLibvirt("find the machine");
    return virDomainGetID(domain.get());
  }

  kj::String monitor(kj::StringPtr name, kj::StringPtr command) const override {
    auto domain = find(name);
    char* answer = nullptr;
    KJ_DEFER(free(answer));
    if (domain.get() == nullptr ||
        virDomainQemuMonitorCommand(domain.get(), command.cStr(), &answer, 0) < 0) {
      failOfLibvirt("reach the machine's monitor");
    }
    auto text = kj::str(answer);
    if (!text.startsWith("{\"return\"")) {
      kj::throwFatalException(
          kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                        kj::str("QEMU refused a command: ", jsonMember(text, "desc"))));
    }
    return text;
  }

  kj::Array<LibvirtDomain> list() const override {
    virDomainPtr* found = nullptr;
    int count = virConnectListAllDomains(connection.get(), &found, 0);
    if (count < 0) failOfLibvirt("list its machines");
    KJ_DEFER(free(found));
    auto domains = kj::heapArrayBuilder<LibvirtDomain>(count);
    for (int i = 0; i < count; i++) {
      DomainHandle domain(found[i]);
      domains.add(
          LibvirtDomain{kj::str(virDomainGetName(domain.get())), conditionOf(domain.get())});
    }
    return domains.finish();
  }

  // virConnectGetAllDomainStats() would have libvirt try every QEMU of the host for what it can, at its first call, and a kill of this process meanwhile
  // leaves that QEMU behind.
  kj::Array<LibvirtCpuTime> cpuTimes() const override {
    virDomainPtr* found = nullptr;
    const int count =
        virConnectListAllDomains(connection.get(), &found, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
    if (count < 0) failOfLibvirt("list the machines that run");
    KJ_DEFER(free(found));
    kj::Vector<LibvirtCpuTime> times(count);
    for (auto each : kj::arrayPtr(found, count)) {
      DomainHandle domain(each);
      virDomainInfo info;
      // One that ends meanwhile has none.
      if (virDomainGetInfo(domain.get(), &info) < 0 || info.cpuTime == 0) continue;
      times.add(LibvirtCpuTime{kj::str(virDomainGetName(domain.get())), info.cpuTime});
    }
    return times.releaseAsArray();
  }

private:
  ConnectionHandle connection;
  // libvirt's drivers for machines and for secrets do not share a connection when they are in this process.
  ConnectionHandle secrets;
  LibvirtEventRegistration events;

  static ConnectionHandle prepareAndConnect(const Place& place) {
    if (place.secretUri.size() > 0) shareSecretsOnThread(nullptr);
    return connectTo(place.uri);
  }

  DomainHandle find(kj::StringPtr name) const {
    return DomainHandle(virDomainLookupByName(connection.get(), name.cStr()));
  }
};

}  // namespace

kj::Own<const LibvirtSession> LibvirtSession::open(const Place& place, const LibvirtEventBox& box) {
  startLibvirtEventLoop();
  return kj::atomicRefcounted<LibvirtSessionImpl>(place, box);
}

kj::Own<const LibvirtSession> LibvirtSessions::get() const {
  auto session = current.lockExclusive();
  KJ_IF_MAYBE (present, *session) {
    if (isLasting() || (!isCondemned && (*present)->isAlive())) {
      return kj::atomicAddRef(**present);
    }
  }
  auto fresh = LibvirtSession::open(place, *box);
  isCondemned = false;
  auto result = kj::atomicAddRef(*fresh);
  *session = kj::mv(fresh);
  return result;
}

void LibvirtSessions::condemn() const {
  isCondemned = true;
}

}  // namespace bothy
