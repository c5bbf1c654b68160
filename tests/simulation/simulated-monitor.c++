// QEMU's monitor, as far as the driver uses it: the vsock device is plugged and unplugged.
#include <string.h>

#include <kj/debug.h>

#include "simulation/simulated-host.h"

namespace bothy {
namespace {

using Phase = SimulatedMachine::Phase;

constexpr kj::StringPtr DEVICE = "vsock0"_kj;
constexpr kj::StringPtr DONE = "{\"return\":{}}"_kj;
constexpr kj::Duration LET_GO_TIME = 50 * kj::MILLISECONDS;
// QEMU asks the guest a second time after so long, and not before.
constexpr kj::Duration ASK_AGAIN_TIME = 5 * kj::SECONDS;

[[noreturn]] void refuse(kj::StringPtr why) {
  kj::throwFatalException(kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                                        kj::str("simulated: QEMU refused a command: ", why)));
}

}  // namespace

kj::String SimulatedMachinery::command(kj::StringPtr name, kj::StringPtr json) {
  auto& domain = KJ_REQUIRE_NONNULL(domains.find(name), "simulated: there is no such domain");
  KJ_REQUIRE(!domain.qemu->hasExited, "simulated: the monitor is gone");
  auto asks = [&](const char* what) { return strstr(json.cStr(), what) != nullptr; };
  if (asks("chardev-add")) return addChardev(domain, name);
  if (asks("device_add")) return addDevice(domain, name);
  if (asks("device_del")) return removeDevice(domain, name);
  if (asks("chardev-remove")) return removeChardev(domain);
  // How fast a disk is matters to nobody here.
  if (asks("block_set_io_throttle")) return kj::str(DONE);
  refuse("no such command");
}

kj::String SimulatedMachinery::addChardev(Domain& domain, kj::StringPtr name) {
  if (domain.chardev != nullptr) refuse("attempt to add duplicate property 'vsock-socket'");
  KJ_IF_MAYBE (device, process(Program::VSOCK_DEVICE, name)) {
    domain.chardev = kj::mv(*device);
    return kj::str(DONE);
  }
  refuse("Failed to connect to the vsock device");
}

kj::String SimulatedMachinery::addDevice(Domain& domain, kj::StringPtr name) {
  if (domain.isPlugged) refuse("Duplicate device ID 'vsock0'");
  KJ_IF_MAYBE (device, domain.chardev) {
    if (!(*device)->hasExited) {
      domain.isPlugged = true;
      (*device)->hasWorker = true;
      KJ_IF_MAYBE (m, machine(name)) m->restoreVsock();
      return kj::str(DONE);
    }
  }
  refuse("vhost-user backend init failed");
}

kj::String SimulatedMachinery::removeDevice(Domain& domain, kj::StringPtr name) {
  const auto now = host.timer.now();
  if (!domain.isPlugged) refuse("Device 'vsock0' not found");
  KJ_IF_MAYBE (asked, domain.unplugAsked) {
    if (now - *asked < ASK_AGAIN_TIME) {
      refuse("Device vsock0 is already in the process of unplug");
    }
  }
  domain.unplugAsked = now;
  if (!host.fate.strikes(Fault::UNPLUG_IGNORED)) tasks.add(letGo(kj::str(name), now));
  return kj::str(DONE);
}

kj::Promise<void> SimulatedMachinery::letGo(kj::String name, kj::TimePoint asked) {
  co_await host.timer.afterDelay(LET_GO_TIME);
  KJ_IF_MAYBE (m, machine(name)) {
    auto kept = kj::addRef(*m);
    co_await kept->untilItRuns();
    if (kept->phase() != Phase::RUNS) co_return;
  }
  KJ_IF_MAYBE (domain, domains.find(name)) {
    if (domain->unplugAsked != asked) co_return;
    domain->unplugAsked = nullptr;
    domain->isPlugged = false;
    KJ_IF_MAYBE (m, machine(name)) m->loseVsock();
    tell(LibvirtEvent::Kind::DEVICE_REMOVED, name, DEVICE);
  }
}

kj::String SimulatedMachinery::removeChardev(Domain& domain) {
  if (domain.chardev == nullptr) refuse("Chardev 'vsock-socket' not found");
  if (domain.isPlugged) refuse("Chardev 'vsock-socket' is busy");
  domain.chardev = nullptr;
  return kj::str(DONE);
}

}  // namespace bothy
