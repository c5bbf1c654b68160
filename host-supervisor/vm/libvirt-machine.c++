#include "vm/libvirt-machine.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/filesystem.h>

#include "vm/domain-xml.h"
#include "vm/vsock-device.h"
#include "vm/vsock-dial.h"

namespace bothy {
namespace {

// A domain's last event follows its end at once, but on another thread.
constexpr kj::Duration LAST_EVENT_LIMIT = 5 * kj::SECONDS;
// A guest lets go of a device in 50 ms, once its kernel is up.
constexpr kj::Duration UNPLUG_LIMIT = 10 * kj::SECONDS;
// A guest sets a new device up in 50 ms; a dial that comes meanwhile may break it.
constexpr kj::Duration VSOCK_SETTLE_TIME = 200 * kj::MILLISECONDS;
constexpr kj::Duration VSOCK_RETRY_PAUSE = 1 * kj::SECONDS;
constexpr int VSOCK_ATTEMPTS = 10;
// A dial is answered within milliseconds by a guest that is up.
constexpr kj::Duration WORKER_CHECK_PAUSE = 500 * kj::MILLISECONDS;
// The same while nothing is dialled.
constexpr kj::Duration WORKER_WATCH_PAUSE = 2 * kj::SECONDS;
// A guest that does not end its lanes keeps its host busy no more often.
constexpr kj::Duration VSOCK_RENEWAL_PAUSE = 10 * kj::SECONDS;
// A guest that has said nothing for so long is dialled all the same.
constexpr kj::Duration SILENCE_LIMIT = 10 * kj::SECONDS;

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

LibvirtMachine::LibvirtMachine(MachineHost& host, VmSpec specParam)
    : host(host),
      diskKey(kj::mv(specParam.diskKey)),
      spec(kj::mv(specParam)),
      files(spec.runtimeDir),
      libvirtFiles(host.settings, spec.name),
      processes(host.io.unixEventPort, spec.uid),
      record{kj::str(spec.name), kj::str(spec.runtimeDir), spec.uid},
      stall(host.timer(), *host.libvirt, host.listener, spec.name, spec.dataDisk),
      vsock(host.abilities.vsock),
      end(nullptr) {
  auto paf = kj::newPromiseAndFulfiller<VmEnd>();
  endFulfiller = kj::mv(paf.fulfiller);
  end = paf.promise.fork();
  auto stop = kj::newPromiseAndFulfiller<void>();
  stoppedFulfiller = kj::mv(stop.fulfiller);
  stopped = kj::mv(stop.promise);
}

LibvirtMachine::~LibvirtMachine() noexcept(false) {}

uint64_t LibvirtMachine::qemuPid() {
  KJ_IF_MAYBE (process, qemu) {
    return (*process)->identity().pid;
  }
  return 0;
}

kj::Promise<void> LibvirtMachine::start() {
  auto key = kj::mv(diskKey);
  diskKey = nullptr;
  DiskPassphrase passphrase{
      kj::str(spec.name),
      hexadecimal(KJ_REQUIRE_NONNULL(key, "a machine needs the key of its disk", spec.name))};
  uint32_t group = host.groupOf(spec.uid);
  auto xml = domainXml(spec, host.abilities, group,
                       {kj::str(host.settings.emulator), kj::str(host.settings.firmware),
                        files.secret(), files.console()});
  record.save(host.settings.stateDir);
  files.prepare(spec, group);
  int number = co_await host.libvirt->create(spec.name, kj::mv(xml), kj::mv(passphrase));
  libvirtFiles.makePrivate(number);
  openQemu();
  files.removeSecret();
  makePrivate(files.console());
  co_await openConsole();
  if (hasVsockDevice()) co_await plugVsock();
  vsockIsUp = true;
  // While the guest's kernel starts, a dial is in vain, takes time from it, and may break its device.
  // The agent listens before it says its first word.
  dialable = spoken.catch_([](kj::Exception&&) {})
                 .exclusiveJoin(host.timer().afterDelay(SILENCE_LIMIT))
                 .fork();
  record.cpusRun = true;
  record.save(host.settings.stateDir);
  co_await host.libvirt->resume(spec.name);
}

kj::Promise<bool> LibvirtMachine::adopt(kj::Maybe<LibvirtDomain::Condition> found) {
  using Condition = LibvirtDomain::Condition;
  diskKey = nullptr;
  auto condition = Condition::ENDED;
  KJ_IF_MAYBE (f, found) {
    condition = *f;
  } else {
    if (processes.isAnyRunning(host.settings.emulator)) {
      kj::throwFatalException(
          KJ_EXCEPTION(FAILED, "its QEMU runs, and libvirt does not know the machine"));
    }
  }
  if (condition == Condition::ENDED) co_return false;
  auto loaded = MachineRecord::load(host.settings.stateDir, spec.name);
  if (loaded == nullptr) {
    kj::throwFatalException(KJ_EXCEPTION(FAILED, "the record of the machine is damaged"));
  }
  auto& old = KJ_ASSERT_NONNULL(loaded);
  if (condition == Condition::PAUSED && !old.cpusRun) co_return false;
  record.cpusRun = old.cpusRun;
  openQemu();
  vsock =
      old.vsockDevice.pid == 0 ? HostAbilities::Vsock::KERNEL : HostAbilities::Vsock::VHOST_USER;
  if (hasVsockDevice()) {
    record.vsockDevice = old.vsockDevice;
    vsockDevice = ProcessHandle::open(host.io.unixEventPort, old.vsockDevice);
    hadVsockWorker = hasVsockWorker(old.vsockDevice.pid);
  }
  vsockIsUp = !hasVsockDevice() || vsockDevice != nullptr;
  co_await openConsole();
  if (condition == Condition::STALLED) beginStall();
  if (condition == Condition::PAUSED) co_await host.libvirt->resume(spec.name);
  co_return true;
}

void LibvirtMachine::openQemu() {
  // libvirt has no call for it.
  auto fs = kj::newDiskFilesystem();
  auto path = fs->getCurrentPath().evalNative(libvirtFiles.pidFile());
  pid_t pid = atoi(fs->getRoot().openFile(path)->readAllText().cStr());
  qemu = ProcessHandle::open(host.io.unixEventPort, pid);
  KJ_REQUIRE(qemu != nullptr, "QEMU ended at its start", spec.name);
}

kj::Promise<void> LibvirtMachine::openConsole() {
  auto address =
      co_await host.io.provider->getNetwork().parseAddress(kj::str("unix:", files.console()));
  auto stream = co_await address->connect();
  auto log = kj::heap<ConsoleLog>(spec.consoleLog);
  auto firstWord = kj::newPromiseAndFulfiller<void>();
  spoken = kj::mv(firstWord.promise);
  auto recording = log->record(host.timer(), kj::mv(stream), kj::mv(firstWord.fulfiller));
  console = recording.attach(kj::mv(log)).eagerlyEvaluate([this](kj::Exception&& e) {
    if (e.getType() != kj::Exception::Type::DISCONNECTED) {
      KJ_LOG(WARNING, "the console is no longer recorded", spec.name, e.getDescription());
    }
  });
}

kj::Promise<void> LibvirtMachine::serve() {
  auto gone = KJ_ASSERT_NONNULL(qemu)->onExit();
  if (hasVsockDevice()) gone = gone.exclusiveJoin(keepVsock());
  co_await gone;
  co_await dismantle();
}

kj::Promise<void> LibvirtMachine::keepVsock() {
  for (;;) {
    if (vsockDevice != nullptr) co_await untilVsockEnds();
    vsockIsUp = false;
    // A device that ends with its QEMU is no loss.
    if (KJ_ASSERT_NONNULL(qemu)->hasExited()) co_await kj::Promise<void>(kj::NEVER_DONE);
    KJ_IF_MAYBE (listener, host.listener) {
      listener->vsockLost(spec.name);
    }
    co_await replaceVsock();
    vsockIsUp = true;
    KJ_IF_MAYBE (listener, host.listener) {
      listener->vsockRestored(spec.name);
    }
  }
}

// A device whose worker has ended serves nobody, and says so to nobody: neither to a lane that is open.
kj::Promise<void> LibvirtMachine::untilVsockEnds() {
  auto exit = KJ_ASSERT_NONNULL(vsockDevice)->onExit();
  co_await exit.exclusiveJoin(watchVsockWorker(WORKER_WATCH_PAUSE).then([this]() {
    return KJ_ASSERT_NONNULL(vsockDevice)->onExit();
  }));
}

void LibvirtMachine::renewVsock() {
  KJ_IF_MAYBE (device, vsockDevice) {
    const auto now = host.timer().now();
    KJ_IF_MAYBE (last, lastRenewal) {
      if (now - *last < VSOCK_RENEWAL_PAUSE) return;
    }
    lastRenewal = now;
    KJ_LOG(WARNING, "a vsock device is replaced: a lane did not end", spec.name);
    (*device)->signal(SIGKILL);
  }
}

kj::Promise<void> LibvirtMachine::replaceVsock() {
  bool stoodStill = false;
  for (int attempt = 1;;) {
    // The guest has to let go of the old one.
    co_await stall.whenOver();
    auto failure = co_await outcomeOf(unplugVsock().then([this]() { return plugVsock(); }));
    KJ_IF_MAYBE (exception, failure) {
      // A QEMU that stands still may go on at any time, and to ask costs nothing meanwhile.
      bool standsStill = exception->getType() == kj::Exception::Type::OVERLOADED;
      if (!standsStill || !stoodStill) {
        KJ_LOG(WARNING, "a vsock device could not be replaced", spec.name, attempt,
               exception->getDescription());
      }
      stoodStill = standsStill;
      if (!standsStill && attempt++ == VSOCK_ATTEMPTS) {
        co_await kj::Promise<void>(kj::NEVER_DONE);
      }
      co_await host.timer().afterDelay(VSOCK_RETRY_PAUSE);
    } else {
      co_await host.timer().afterDelay(VSOCK_SETTLE_TIME);
      co_return;
    }
  }
}

kj::Promise<void> LibvirtMachine::plugVsock() {
  auto device = co_await startVsockDevice(
      host.io.unixEventPort, host.reaper,
      {host.settings.vsockDevice, files.deviceSocket(), files.dialSocket(), spec.cid, spec.uid});
  makePrivate(files.deviceSocket());
  makePrivate(files.dialSocket());
  record.vsockDevice = device->identity();
  vsockDevice = kj::mv(device);
  record.save(host.settings.stateDir);

  co_await host.libvirt->monitor(
      spec.name, kj::str(R"({"execute":"chardev-add","arguments":{"id":"vsock-socket","backend":)",
                         R"({"type":"socket","data":{"server":false,"addr":{"type":"unix","data":)",
                         R"({"path":)", quoted(files.deviceSocket()), "}}}}}}"));
  co_await host.libvirt->monitor(
      spec.name,
      kj::str(R"({"execute":"device_add","arguments":{"driver":"vhost-user-vsock-pci",)",
              R"("id":"vsock0","chardev":"vsock-socket","bus":")", VSOCK_PORT_BUS, "\"}}"));
  hadVsockWorker = hasVsockWorker(record.vsockDevice.pid);
}

// QEMU takes the vsock device off a machine whose CPUs it stops.  vhost-device-vsock 0.3.0 does not outlive a message that
// comes then, so every connection would hang for good: better that it ends now, and another comes with the CPUs.
void LibvirtMachine::beginStall() {
  stall.begin();
  KJ_IF_MAYBE (device, vsockDevice) {
    (*device)->signal(SIGKILL);
  }
}

kj::Promise<void> LibvirtMachine::watchVsockWorker(kj::Duration pause) {
  while (!endBrokenDevice()) co_await host.timer().afterDelay(pause);
}

bool LibvirtMachine::endBrokenDevice() {
  auto& device = *KJ_ASSERT_NONNULL(vsockDevice);
  if (!hadVsockWorker || device.hasExited() || hasVsockWorker(device.identity().pid)) return false;
  KJ_LOG(WARNING, "a vsock device has stopped to serve its machine and is ended", spec.name);
  device.signal(SIGKILL);
  return true;
}

kj::Promise<void> LibvirtMachine::unplugVsock() {
  auto paf = kj::newPromiseAndFulfiller<void>();
  vsockUnplugged = kj::mv(paf.fulfiller);
  auto failure = co_await outcomeOf(
      host.libvirt
          ->monitor(spec.name, kj::str(R"({"execute":"device_del","arguments":{"id":"vsock0"}})"))
          .ignoreResult());
  bool isPlugged = true;
  KJ_IF_MAYBE (exception, failure) {
    isPlugged = !says(*exception, "not found");
    if (isPlugged && !says(*exception, "in the process of unplug")) {
      kj::throwFatalException(kj::mv(*exception));
    }
  }
  if (isPlugged) {
    co_await host.timer().timeoutAfter(UNPLUG_LIMIT, kj::mv(paf.promise));
  }
  failure = co_await outcomeOf(
      host.libvirt
          ->monitor(spec.name,
                    kj::str(R"({"execute":"chardev-remove","arguments":{"id":"vsock-socket"}})"))
          .ignoreResult());
  KJ_IF_MAYBE (exception, failure) {
    if (!says(*exception, "not found")) kj::throwFatalException(kj::mv(*exception));
  }
}

kj::Promise<kj::Own<kj::AsyncIoStream>> LibvirtMachine::dial(uint32_t port) {
  if (!vsockIsUp || ending) {
    return KJ_EXCEPTION(DISCONNECTED, "the machine's vsock device is away", spec.name);
  }
  if (isStalled()) return KJ_EXCEPTION(DISCONNECTED, "the machine stands still", spec.name);
  return dialable.addBranch().then([this, port]() -> kj::Promise<kj::Own<kj::AsyncIoStream>> {
    if (!hasVsockDevice()) return dialKernelVsock(*host.io.lowLevelProvider, spec.cid, port);
    auto broken =
        watchVsockWorker(WORKER_CHECK_PAUSE).then([]() -> kj::Promise<kj::Own<kj::AsyncIoStream>> {
          return KJ_EXCEPTION(DISCONNECTED, "the machine's vsock device has failed");
        });
    return dialVsockDevice(host.io.provider->getNetwork(), files.dialSocket(), spec.uid, port)
        .exclusiveJoin(kj::mv(broken));
  });
}

kj::Promise<void> LibvirtMachine::destroy() {
  if (!ending) {
    destroying = true;
    co_await endDomain();
  }
  co_await end.addBranch().ignoreResult();
}

kj::Promise<void> LibvirtMachine::dismantle() {
  if (ending) {
    co_await end.addBranch().ignoreResult();
    co_return;
  }
  ending = true;
  stall.abandon();
  // No QEMU was seen: there may never have been a domain.
  if (qemu == nullptr) stoppedFulfiller->fulfill();

  co_await endDomain();
  // Its user has no other processes, so this also finds a device that was started just before a kill of the
  // supervisor and stands in no record.
  auto failure = co_await outcomeOf(processes.kill());
  KJ_IF_MAYBE (exception, failure) {
    KJ_LOG(ERROR, "processes of a machine are left", spec.name, exception->getDescription());
  }
  co_await outcomeOf(host.timer().timeoutAfter(LAST_EVENT_LIMIT, kj::mv(stopped)));
  co_await outcomeOf(kj::mv(console));

  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                 files.removeAll();
                 libvirtFiles.removeRest();
                 MachineRecord::remove(host.settings.stateDir, spec.name);
               })) {
    KJ_LOG(ERROR, "files of a machine are left", spec.name, exception->getDescription());
  }
  endFulfiller->fulfill(destroying ? VmEnd::DESTROYED : cause.orDefault(VmEnd::EXITED));
}

kj::Promise<void> LibvirtMachine::endDomain() {
  // A QEMU that does not answer to libvirt still answers to the kernel, and libvirt is freed by its end.
  auto killing = host.timer()
                     .afterDelay(host.settings.limits.kill)
                     .then([this]() {
                       KJ_LOG(WARNING, "libvirt does not end a machine: it is killed", spec.name);
                       processes.signal(SIGKILL);
                     })
                     .eagerlyEvaluate([this](kj::Exception&& e) {
                       KJ_LOG(ERROR, "a machine cannot be killed", spec.name, e.getDescription());
                     });
  auto failure = co_await outcomeOf(host.libvirt->destroy(spec.name));
  KJ_IF_MAYBE (exception, failure) {
    KJ_LOG(WARNING, "libvirt could not end a machine", spec.name, exception->getDescription());
    KJ_IF_MAYBE (process, qemu) {
      (*process)->signal(SIGKILL);
    }
  }
}

void LibvirtMachine::handle(LibvirtEvent event) {
  using Kind = LibvirtEvent::Kind;
  auto because = [&](VmEnd why) {
    if (cause == nullptr) cause = why;
  };
  switch (event.kind) {
    case Kind::POWERED_OFF:
      because(VmEnd::POWERED_OFF);
      break;
    case Kind::REBOOTED:
      because(VmEnd::REBOOTED);
      break;
    case Kind::CRASHED:
      because(VmEnd::CRASHED);
      break;
    case Kind::STALLED:
      if (!ending) beginStall();
      break;
    case Kind::DEVICE_REMOVED:
      if (event.device == "vsock0") {
        KJ_IF_MAYBE (fulfiller, vsockUnplugged) {
          (*fulfiller)->fulfill();
        }
      }
      break;
    case Kind::STOPPED:
      stoppedFulfiller->fulfill();
      break;
  }
}

}  // namespace bothy
