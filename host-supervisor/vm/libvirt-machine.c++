#include "vm/libvirt-machine.h"

#include <signal.h>

#include <kj/debug.h>

#include "loop/failure-of.h"
#include "vm/console-log.h"
#include "vm/domain-xml.h"

namespace bothy {
namespace {

// A domain's last event follows its end at once, but on another thread.
constexpr kj::Duration LAST_EVENT_LIMIT = 5 * kj::SECONDS;
// A console ends with its QEMU, and what it said last is read at once; unless that QEMU has given its end to a process that lives on.
constexpr kj::Duration CONSOLE_LIMIT = 3 * kj::SECONDS + CONSOLE_END_LIMIT;
// A guest that has said nothing for so long is dialled all the same.
constexpr kj::Duration SILENCE_LIMIT = 10 * kj::SECONDS;
// QEMU answers in milliseconds.
constexpr kj::Duration IO_CALL_LIMIT = 10 * kj::SECONDS;
constexpr kj::Duration KILL_RETRY_PAUSE = 1 * kj::SECONDS;
constexpr kj::Duration MOST_KILL_RETRY_PAUSE = 10 * kj::SECONDS;

}  // namespace

LibvirtMachine::LibvirtMachine(MachineHost& host, VmSpec specParam)
    : host(host),
      counted(*host.objects),
      diskKey(kj::mv(specParam.diskKey)),
      spec(kj::mv(specParam)),
      files(spec.runtimeDir),
      record{kj::str(spec.name), kj::str(spec.runtimeDir), spec.uid},
      stall(host.timer, *host.libvirt, *host.diskRoom, host.listener, spec.name, spec.dataDisk),
      vsock(host, spec, files, record, stall),
      halt(host, spec, stall, vsock),
      end(nullptr) {
  auto paf = kj::newPromiseAndFulfiller<VmEnd>();
  endFulfiller = kj::mv(paf.fulfiller);
  end = paf.promise.fork();
  auto stop = kj::newPromiseAndFulfiller<void>();
  stoppedFulfiller = kj::mv(stop.fulfiller);
  stopped = kj::mv(stop.promise);
}

LibvirtMachine::~LibvirtMachine() noexcept(false) {}

kj::Maybe<ProcessIdentity> LibvirtMachine::qemuIdentity() {
  return qemu.map([](kj::Own<ProcessHandle>& process) { return process->identity(); });
}

uint64_t LibvirtMachine::qemuPid() {
  return qemuIdentity().map([](auto identity) { return identity.pid; }).orDefault(0);
}

DiskPassphrase LibvirtMachine::takePassphrase() {
  auto key = kj::mv(diskKey);
  diskKey = nullptr;
  return {kj::str(spec.name),
          hexadecimal(KJ_REQUIRE_NONNULL(key, "a machine needs the key of its disk", spec.name))};
}

kj::String LibvirtMachine::xml() {
  return domainXml(spec, host.abilities, host.groupOf(spec.uid),
                   {kj::str(host.settings->emulator), kj::str(host.settings->firmware),
                    files.secret(), files.console()});
}

kj::Promise<void> LibvirtMachine::start(kj::Maybe<TurnListener&> listener) {
  auto passphrase = takePassphrase();
  auto text = xml();
  co_await host.records->save(record);
  host.storage->prepareFiles(spec);
  int number = co_await host.libvirt->create(spec.name, kj::mv(text), kj::mv(passphrase), listener);
  co_await settleIn(number);
  co_await vsock.start();
  // While the guest's kernel starts, a dial is in vain, takes time from it, and may break its device.
  // The agent listens before it says its first word.
  dialable = spoken.catch_([](kj::Exception&&) {})
                 .exclusiveJoin(host.timer.afterDelay(SILENCE_LIMIT))
                 .fork();
  record.cpusRun = true;
  co_await host.records->save(record);
  co_await host.libvirt->resume(spec.name);
}

kj::Promise<void> LibvirtMachine::settleIn(int number) {
  host.storage->makeLibvirtFilesPrivate(spec.name, spec.uid, number);
  openQemu({0, 0});
  host.storage->removeSecret(files);
  host.storage->makePrivate(files.console());
  co_await openConsole();
  if (!(spec.io == IoLimits())) co_await limitIo(spec.io);
}

// ---------------------------------------------------------------------------------------------
// Its memory in a file

kj::Promise<kj::Own<MemoryExport>> LibvirtMachine::exportMemory(MemoryFile file) {
  return host.processes->exportMemory(
      {host.settings->storageDaemon, kj::mv(file.path), files.memory(), hexadecimal(file.key)});
}

kj::Promise<void> LibvirtMachine::save(MemoryFile file) {
  if (isEnding()) kj::throwFatalException(KJ_EXCEPTION(FAILED, "the machine ends"));
  KJ_REQUIRE(isPaused(), "a machine is saved whose CPUs may run", spec.name);
  auto memory = co_await exportMemory(kj::mv(file));
  co_await host.libvirt->save(spec.name, kj::str(memory->path()));
  co_await memory->close();
  co_await end.addBranch().ignoreResult();
}

kj::Promise<void> LibvirtMachine::restore(MemoryFile file, kj::Maybe<TurnListener&> listener) {
  auto passphrase = takePassphrase();
  auto text = xml();
  co_await host.records->save(record);
  host.storage->prepareFiles(spec);
  auto memory = co_await exportMemory(kj::mv(file));
  int number = co_await host.libvirt->restore(spec.name, kj::str(memory->path()), kj::mv(text),
                                              kj::mv(passphrase), listener);
  co_await settleIn(number);
  if (vsock.keepsStreams()) {
    co_await vsock.start();
  } else {
    // It has none yet, and is to have one: for who takes the machine over.
    record.vsockDevice = {record.qemu.pid, 0};
  }
  halt.beginHalted();
  auto failure = co_await failureOf([&]() { return memory->close(); });
  KJ_IF_MAYBE (e, failure) {
    // It was read.
    KJ_LOG(WARNING, "a machine's memory was not closed in order", spec.name, e->getDescription());
  }
  record.cpusRun = true;
  co_await host.records->save(record);
}

// By QEMU's own means, as libvirt would: those of control groups are not there with a driver in this process.
kj::Promise<void> LibvirtMachine::limitIo(IoLimits limits) {
  auto command = kj::str(R"({"execute":"block_set_io_throttle","arguments":{"id":")",
                         DATA_DISK_BACKEND, R"(","bps":0,"bps_rd":)", limits.readBytes,
                         R"(,"bps_wr":)", limits.writeBytes, R"(,"iops":0,"iops_rd":)",
                         limits.readOperations, R"(,"iops_wr":)", limits.writeOperations, "}}");
  co_await host.libvirt->monitor(spec.name, kj::mv(command)).ignoreResult();
}

kj::Promise<bool> LibvirtMachine::adopt(kj::Maybe<LibvirtDomain::Condition> found) {
  using Condition = LibvirtDomain::Condition;
  diskKey = nullptr;
  isTakenOver = true;
  auto condition = Condition::ENDED;
  KJ_IF_MAYBE (f, found) {
    condition = *f;
  } else {
    if (host.processes->isAnyRunning(spec.uid, host.settings->emulator)) {
      // libvirt was killed while it started the machine.
      auto loaded = co_await host.records->load(spec.name);
      KJ_IF_MAYBE (old, loaded) {
        if (!old->cpusRun) co_return false;
      }
      kj::throwFatalException(
          host.storage->isMonitorWithheld(spec.name, spec.uid)
              ? KJ_EXCEPTION(FAILED, "the socket of its monitor is not the one that libvirt made")
              : KJ_EXCEPTION(FAILED, "its QEMU runs, and libvirt does not know the machine"));
    }
  }
  if (condition == Condition::ENDED) co_return false;
  auto loaded = co_await host.records->load(spec.name);
  if (loaded == nullptr) {
    kj::throwFatalException(KJ_EXCEPTION(FAILED, "the record of the machine is damaged"));
  }
  auto& old = KJ_ASSERT_NONNULL(loaded);
  if (condition == Condition::PAUSED && !old.cpusRun) co_return false;
  record.cpusRun = old.cpusRun;
  openQemu(old.qemu);
  vsock.adopt(old.vsockDevice);
  co_await openConsole();
  // One that waits for room may have been paused too, which libvirt does not tell: who does not know either lets it go on.
  const bool isPaused = spec.found == VmSpec::Cpus::STAND_STILL ||
                        (spec.found == VmSpec::Cpus::EITHER && condition == Condition::PAUSED);
  if (isPaused) halt.adopt(condition);
  if (condition == Condition::STALLED) beginStall();
  // An earlier process may have been killed before it told QEMU of others.
  auto failure = co_await failureOf(
      [this]() { return host.timer.timeoutAfter(IO_CALL_LIMIT, limitIo(spec.io)); });
  KJ_IF_MAYBE (e, failure) {
    KJ_LOG(ERROR, "a machine that is taken over has not the limits of its disk", spec.name,
           e->getDescription());
  }
  if (condition == Condition::PAUSED && !isPaused) co_await host.libvirt->resume(spec.name);
  co_return true;
}

void LibvirtMachine::openQemu(const ProcessIdentity& recorded) {
  // People are told of it.
  auto require = [](bool condition, kj::String why) {
    if (condition) return;
    kj::throwFatalException(
        kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::mv(why)));
  };
  auto named = host.storage->qemuPid(spec.name, spec.uid);
  require(named != nullptr, kj::str("libvirt's file of QEMU's pid is missing"));
  const pid_t pid = KJ_ASSERT_NONNULL(named);
  auto found = host.processes->open(pid);
  require(found != nullptr, kj::str("QEMU has ended: its pid was ", pid));
  auto& process = KJ_ASSERT_NONNULL(found);
  // One that ends while it is looked at has no owner; that it has ended is then learned in its own way.
  KJ_IF_MAYBE (owner, process->user()) {
    require(
        *owner == spec.uid,
        kj::str("the process ", pid, ", which libvirt names as QEMU, is another user's, ", *owner));
  }
  require(recorded.pid == 0 || process->identity() == recorded,
          kj::str("the process ", pid,
                  ", which libvirt names as QEMU, is not the one that was started"));
  record.qemu = process->identity();
  consumption.emplace(*host.processes, process->identity());
  qemu = kj::mv(process);
}

kj::Promise<void> LibvirtMachine::openConsole() {
  auto stream = co_await host.processes->openConsole(files.console(), spec.uid);
  auto firstWord = kj::newPromiseAndFulfiller<void>();
  spoken = kj::mv(firstWord.promise);
  auto recording = host.storage->recordConsole(spec.consoleLog, kj::mv(stream), said,
                                               kj::mv(firstWord.fulfiller));
  console = recording.eagerlyEvaluate([this](kj::Exception&& e) {
    if (e.getType() != kj::Exception::Type::DISCONNECTED) {
      KJ_LOG(WARNING, "the console is no longer recorded", spec.name, e.getDescription());
    }
  });
}

kj::Promise<void> LibvirtMachine::serve() {
  auto& process = *KJ_ASSERT_NONNULL(qemu);
  vsock.keep(process);
  // Also where the driver is dropped before its machines.
  KJ_DEFER({
    halt.abandon();
    vsock.abandon();
  });
  co_await process.onExit();
  co_await dismantle();
}

kj::Promise<kj::Own<kj::AsyncIoStream>> LibvirtMachine::dial(uint32_t port) {
  co_await dialable.addBranch();
  auto require = [this](bool condition, kj::StringPtr why) {
    if (!condition) kj::throwFatalException(KJ_EXCEPTION(DISCONNECTED, why, spec.name));
  };
  require(!ending, "the machine ends");
  require(!isPaused(), "the machine is paused");
  require(!isStalled(), "the machine stands still");
  require(!host.holdsDials, "bothyd is about to end");
  co_return co_await vsock.dial(port);
}

void LibvirtMachine::beginStall() {
  stall.begin();
  vsock.endWithStall();
}

kj::Promise<void> LibvirtMachine::pause() {
  if (isEnding()) return KJ_EXCEPTION(FAILED, "the machine ends");
  return halt.begin();
}

kj::Promise<void> LibvirtMachine::resume() {
  if (isEnding()) return KJ_EXCEPTION(FAILED, "the machine ends");
  return halt.end();
}

kj::Promise<void> LibvirtMachine::destroy() {
  if (!ending) {
    destroying = true;
    noteConsumption();
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
  noteConsumption();
  stall.abandon();
  halt.abandon();
  vsock.abandon();
  // No QEMU was seen: there may never have been a domain.
  if (qemu == nullptr) stoppedFulfiller->fulfill();

  co_await endDomain();
  if (!isUserOthers) co_await endProcesses();
  co_await failureOf(
      [this]() { return host.timer.timeoutAfter(LAST_EVENT_LIMIT, kj::mv(stopped)); });
  auto late = co_await failureOf(
      [this]() { return host.timer.timeoutAfter(CONSOLE_LIMIT, kj::mv(console)); });
  if (late != nullptr) {
    KJ_LOG(WARNING, "the console of a machine does not end with it, and is left", spec.name);
  }

  auto failure = co_await failureOf([this]() { return removeFiles(); });
  KJ_IF_MAYBE (exception, failure) {
    KJ_LOG(ERROR, "files of a machine are left", spec.name, exception->getDescription());
  }
  KJ_IF_MAYBE (c, consumption) c->tell(spec.name, host.ended);
  consumption = nullptr;
  endFulfiller->fulfill(destroying ? VmEnd::DESTROYED : cause.orDefault(VmEnd::EXITED));
}

// Without a limit: what is removed late would be the next machine's of that name.
kj::Promise<void> LibvirtMachine::removeFiles() {
  if (spec.runtimeDir.size() > 0) co_await host.storage->removeFiles(files);
  co_await host.storage->removeLibvirtFiles(spec.name, spec.uid);
  co_await host.records->remove(spec.name);
}

kj::Promise<void> LibvirtMachine::endProcesses() {
  // Its user has no other processes, so this also finds a device that was started just before a kill of the
  // supervisor and stands in no record.
  // The user id is another machine's afterwards: nobody may be left who could trace that one's QEMU.
  bool isNoted = false;
  for (auto pause = KILL_RETRY_PAUSE;; pause = kj::min(2 * pause, MOST_KILL_RETRY_PAUSE)) {
    // What libvirt was asked for it may yet do, however late: start this machine, or end the next one of its name.
    const bool isCalled = host.libvirt->isCalled(spec.name);
    auto failure = co_await failureOf([this]() { return host.processes->killAll(spec.uid); });
    KJ_IF_MAYBE (exception, failure) {
      KJ_LOG(ERROR, "processes of a machine are left", spec.name, exception->getDescription());
    } else if (!isCalled) {
      break;
    } else if (!isNoted) {
      KJ_LOG(WARNING, "a machine is not gone before libvirt has answered for it", spec.name);
      isNoted = true;
    }
    co_await host.timer.afterDelay(pause);
  }
}

kj::Promise<void> LibvirtMachine::endDomain() {
  // A QEMU that does not answer to libvirt still answers to the kernel, and libvirt is freed by its end.
  auto killing = host.timer.afterDelay(host.settings->limits.kill)
                     .then([this]() {
                       KJ_LOG(WARNING, "libvirt does not end a machine: it is killed", spec.name);
                       if (!isUserOthers) host.processes->signalAll(spec.uid, SIGKILL);
                     })
                     .eagerlyEvaluate([this](kj::Exception&& e) {
                       KJ_LOG(ERROR, "a machine cannot be killed", spec.name, e.getDescription());
                     });
  auto failure = co_await failureOf([this]() { return host.libvirt->destroy(spec.name); });
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
      vsock.noteRemoved(event.device);
      break;
    case Kind::STOPPED:
      stoppedFulfiller->fulfill();
      break;
  }
}

}  // namespace bothy
