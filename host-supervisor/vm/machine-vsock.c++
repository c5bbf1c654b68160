#include "vm/machine-vsock.h"

#include <signal.h>
#include <string.h>

#include <kj/debug.h>

#include "loop/failure-of.h"
#include "loop/retry-pauses.h"
#include "loop/shared-fd.h"
#include "vm/domain-xml.h"
#include "vm/vsock-replacement.h"

namespace bothy {
namespace {

// The device's name in QEMU.
constexpr kj::StringPtr DEVICE_ID = "vsock0"_kj;
// A guest lets go of a device in 50 ms, once its kernel is up.
constexpr kj::Duration UNPLUG_LIMIT = 10 * kj::SECONDS;
// A guest sets a new device up in 50 ms; a dial that comes meanwhile may break it.
constexpr kj::Duration SETTLE_TIME = 200 * kj::MILLISECONDS;
// A dial is answered within milliseconds by a guest that is up.
constexpr kj::Duration WORKER_CHECK_PAUSE = 500 * kj::MILLISECONDS;
// The same while nothing is dialled.
constexpr kj::Duration WORKER_WATCH_PAUSE = 2 * kj::SECONDS;
// A device that lived for so long is replaced at once; one that did not waits, longer each time.
constexpr kj::Duration STEADY_TIME = 60 * kj::SECONDS;
// Least time between two replacements for lanes that do not end.
constexpr kj::Duration RENEWAL_PAUSE = 10 * kj::SECONDS;

// A guest that runs has let go of its device by then, and has another when its CPUs go on.
constexpr kj::Duration TAKE_OFF_LIMIT = 2 * kj::SECONDS;
constexpr kj::Duration PUT_BACK_LIMIT = 5 * kj::SECONDS;

// How long a QEMU takes to end after it has let go of its device.
constexpr kj::Duration QEMU_END_LIMIT = 1 * kj::SECONDS;

// A path as a JSON string.
kj::String quoted(kj::StringPtr path) {
  for (char c : path) {
    KJ_REQUIRE(c != '"' && c != '\\' && static_cast<unsigned char>(c) >= 0x20,
               "the path cannot be told to QEMU", path);
  }
  return kj::str('"', path, '"');
}

bool says(const kj::Exception& exception, kj::StringPtr part) {
  return strstr(exception.getDescription().cStr(), part.cStr()) != nullptr;
}

}  // namespace

MachineVsock::MachineVsock(MachineHost& host, const VmSpec& spec, const MachineFiles& files,
                           MachineRecord& record, DiskStall& stall)
    : host(host),
      spec(spec),
      files(files),
      record(record),
      stall(stall),
      kind(host.abilities.vsock) {}

kj::Promise<void> MachineVsock::start() {
  if (kind == HostAbilities::Vsock::VHOST_USER) co_await plug();
  isUp = true;
}

void MachineVsock::adopt(const ProcessIdentity& identity) {
  if (identity.pid == 0) {
    kind = HostAbilities::Vsock::KERNEL;
    isUp = true;
    return;
  }
  kind = HostAbilities::Vsock::VHOST_USER;
  record.vsockDevice = identity;
  device = host.processes->open(identity);
  isUp = device != nullptr;
  // One without a worker was not plugged yet, or has lost it to a dial that bothyd's end broke off; or it is of a version whose worker
  // has a name that we do not know.  It is replaced in each case.
  isWorkerKnown = true;
}

void MachineVsock::keep(ProcessHandle& qemu) {
  kept = qemu;
  if (!isOff) serve();
}

void MachineVsock::serve() {
  if (kind == HostAbilities::Vsock::KERNEL) return;
  KJ_IF_MAYBE (qemu, kept) {
    serving = replaceWhenLost(*qemu).eagerlyEvaluate([this](kj::Exception&& e) {
      KJ_LOG(ERROR, "nobody looks after the vsock of a machine any more", spec.name,
             e.getDescription());
    });
  }
}

// Never returns.
kj::Promise<void> MachineVsock::replaceWhenLost(ProcessHandle& qemu) {
  // Of a device that dies again and again: each time is told and logged.
  kj::Maybe<RetryPauses> pauses;
  if (!isUp && device != nullptr && isExpectedAway) co_await settleIn();
  for (;;) {
    const auto since = host.timer.now();
    bool hadDevice = device != nullptr;
    if (hadDevice) co_await untilDeviceEnds();
    isUp = false;
    // A device that ends with its QEMU is no loss: it does when QEMU lets go of it, a moment before QEMU itself has ended.
    if (hadDevice) co_await qemu.onExit().exclusiveJoin(host.timer.afterDelay(QEMU_END_LIMIT));
    if (qemu.hasExited()) co_await kj::Promise<void>(kj::NEVER_DONE);
    noteLoss();
    if (host.timer.now() - since >= STEADY_TIME) pauses = nullptr;
    KJ_IF_MAYBE (p, pauses) {
      co_await p->next();
    } else {
      pauses = RetryPauses(host.timer, {});
    }
    co_await replace();
    noteReturn();
  }
}

// Of a device that was plugged while the CPUs stood still.
kj::Promise<void> MachineVsock::settleIn() {
  co_await host.timer.afterDelay(SETTLE_TIME);
  noteReturn();
}

void MachineVsock::noteLoss() {
  if (isExpectedAway || isLossTold) return;
  isLossTold = true;
  KJ_IF_MAYBE (listener, host.listener) listener->vsockLost(spec.name);
}

void MachineVsock::noteReturn() {
  isUp = true;
  isExpectedAway = false;
  if (!isLossTold) return;
  isLossTold = false;
  KJ_IF_MAYBE (listener, host.listener) listener->vsockRestored(spec.name);
}

void MachineVsock::switchOff() {
  isOff = true;
  isUp = false;
  isExpectedAway = true;
  serving = nullptr;
  KJ_IF_MAYBE (process, device) (*process)->signal(SIGKILL);
  device = nullptr;
}

kj::Promise<void> MachineVsock::takeOff() {
  if (isOff) co_return;
  switchOff();
  if (kind == HostAbilities::Vsock::KERNEL) co_return;
  // A guest that stands still lets go of nothing.
  if (stall.isUnderWay()) co_return;
  auto failure =
      co_await failureOf([this]() { return host.timer.timeoutAfter(TAKE_OFF_LIMIT, unplug()); });
  KJ_IF_MAYBE (e, failure) {
    KJ_LOG(INFO, "a machine is paused with its vsock device", spec.name, e->getDescription());
  }
}

kj::Promise<void> MachineVsock::putBack() {
  if (kind == HostAbilities::Vsock::KERNEL) co_return;
  auto failure =
      co_await failureOf([this]() { return host.timer.timeoutAfter(PUT_BACK_LIMIT, plug()); });
  KJ_IF_MAYBE (e, failure) {
    KJ_LOG(INFO, "a machine is resumed without its vsock device, which follows", spec.name,
           e->getDescription());
    KJ_IF_MAYBE (process, device) (*process)->signal(SIGKILL);
    device = nullptr;
  }
}

void MachineVsock::switchOn() {
  if (!isOff) return;
  isOff = false;
  if (kind == HostAbilities::Vsock::KERNEL) {
    noteReturn();
  } else {
    serve();
  }
}

kj::Promise<kj::Own<kj::AsyncIoStream>> MachineVsock::dial(uint32_t port) {
  if (!isUp) {
    kj::throwFatalException(
        KJ_EXCEPTION(DISCONNECTED, "the machine's vsock device is away", spec.name));
  }
  if (sharedCloser().isClogged(spec.uid)) {
    kj::throwFatalException(KJ_EXCEPTION(
        DISCONNECTED, "too many earlier streams of the machine cannot be closed", spec.name));
  }
  if (kind == HostAbilities::Vsock::KERNEL) {
    co_return co_await host.processes->dialKernelVsock(spec.cid, port);
  }
  auto broken =
      watchWorker(WORKER_CHECK_PAUSE).then([]() -> kj::Promise<kj::Own<kj::AsyncIoStream>> {
        return KJ_EXCEPTION(DISCONNECTED, "the machine's vsock device has failed");
      });
  ++dialling;
  KJ_DEFER(--dialling);
  co_return co_await host.processes->dialVsockDevice(files.dialSocket(), spec.uid, port)
      .exclusiveJoin(kj::mv(broken));
}

void MachineVsock::renew() {
  KJ_IF_MAYBE (process, device) {
    const auto now = host.timer.now();
    KJ_IF_MAYBE (last, lastRenewal) {
      if (now - *last < RENEWAL_PAUSE) return;
    }
    lastRenewal = now;
    KJ_LOG(WARNING, "a vsock device is replaced: a lane did not end", spec.name);
    (*process)->signal(SIGKILL);
  }
}

void MachineVsock::endWithStall() {
  KJ_IF_MAYBE (process, device) {
    (*process)->signal(SIGKILL);
  }
}

void MachineVsock::noteRemoved(kj::StringPtr name) {
  if (name != DEVICE_ID) return;
  KJ_IF_MAYBE (fulfiller, unplugged) {
    (*fulfiller)->fulfill();
  }
}

// A device whose worker has ended serves nobody, and says so to nobody: neither to a lane that is open.
kj::Promise<void> MachineVsock::untilDeviceEnds() {
  auto exit = KJ_ASSERT_NONNULL(device)->onExit();
  co_await exit.exclusiveJoin(watchWorker(WORKER_WATCH_PAUSE).then([this]() {
    return KJ_ASSERT_NONNULL(device)->onExit();
  }));
}

kj::Promise<void> MachineVsock::replace() {
  auto notReplaced = [this]() {
    KJ_IF_MAYBE (listener, host.listener) listener->vsockNotRestored(spec.name);
  };
  co_await replaceVsock(
      host.timer, spec.name, [this]() { return tryToReplace(); }, kj::mv(notReplaced));
  co_await host.timer.afterDelay(SETTLE_TIME);
}

kj::Promise<void> MachineVsock::tryToReplace() {
  // The guest has to let go of the old one.
  co_await stall.whenOver();
  // An earlier try may have started one that never came to serve.
  KJ_IF_MAYBE (process, device) (*process)->signal(SIGKILL);
  co_await unplug();
  co_await plug();
}

kj::Promise<void> MachineVsock::plug() {
  auto process = co_await host.processes->startVsockDevice(
      {host.settings->vsockDevice, files.deviceSocket(), files.dialSocket(), spec.cid, spec.uid,
       host.settings->killSender});
  host.storage->makePrivate(files.deviceSocket());
  host.storage->makePrivate(files.dialSocket());
  record.vsockDevice = process->identity();
  device = kj::mv(process);
  co_await host.records->save(record);

  co_await host.libvirt->monitor(
      spec.name, kj::str(R"({"execute":"chardev-add","arguments":{"id":"vsock-socket","backend":)",
                         R"({"type":"socket","data":{"server":false,"addr":{"type":"unix","data":)",
                         R"({"path":)", quoted(files.deviceSocket()), "}}}}}}"));
  co_await host.libvirt->monitor(
      spec.name,
      kj::str(R"({"execute":"device_add","arguments":{"driver":"vhost-user-vsock-pci","id":")",
              DEVICE_ID, R"(","chardev":"vsock-socket","bus":")", VSOCK_PORT_BUS, "\"}}"));
  isWorkerKnown = host.processes->hasVsockWorker(record.vsockDevice.pid);
}

kj::Promise<void> MachineVsock::unplug() {
  auto paf = kj::newPromiseAndFulfiller<void>();
  unplugged = kj::mv(paf.fulfiller);
  auto tell = [this](kj::String command) {
    return failureOf(
        [&]() { return host.libvirt->monitor(spec.name, kj::mv(command)).ignoreResult(); });
  };
  auto failure =
      co_await tell(kj::str(R"({"execute":"device_del","arguments":{"id":")", DEVICE_ID, "\"}}"));
  bool isPlugged = true;
  KJ_IF_MAYBE (exception, failure) {
    isPlugged = !says(*exception, "not found");
    if (isPlugged && !says(*exception, "in the process of unplug")) {
      kj::throwFatalException(kj::mv(*exception));
    }
  }
  if (isPlugged) {
    co_await host.timer.timeoutAfter(UNPLUG_LIMIT, kj::mv(paf.promise));
  }
  failure =
      co_await tell(kj::str(R"({"execute":"chardev-remove","arguments":{"id":"vsock-socket"}})"));
  KJ_IF_MAYBE (exception, failure) {
    if (!says(*exception, "not found")) kj::throwFatalException(kj::mv(*exception));
  }
}

kj::Promise<void> MachineVsock::watchWorker(kj::Duration pause) {
  while (!endBrokenDevice()) co_await host.timer.afterDelay(pause);
}

bool MachineVsock::endBrokenDevice() {
  // It was taken off.
  if (device == nullptr) return false;
  auto& process = *KJ_ASSERT_NONNULL(device);
  if (process.hasExited()) return false;
  if (host.processes->hasVsockWorker(process.identity().pid)) {
    // On a busy host it begins after the device was plugged.
    isWorkerKnown = true;
    return false;
  }
  if (!isWorkerKnown) return false;
  KJ_LOG(WARNING, "a vsock device has stopped to serve its machine and is ended", spec.name);
  process.signal(SIGKILL);
  return true;
}

}  // namespace bothy
