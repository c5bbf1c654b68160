#pragma once

#include <unistd.h>

#include <kj/async-io.h>
#include <kj/debug.h>
#include <kj/map.h>
#include <kj/mutex.h>
#include <kj/vector.h>

#include "loop/worker-thread.h"
#include "vm/machine-host.h"
#include "vm/test-spec.h"

namespace bothy {

// Of a machine that is called "mNUMBER".
inline uint32_t userOf(kj::StringPtr machine) {
  return 700000 + machine.slice(1).parseAs<uint32_t>();
}
inline ProcessIdentity qemuOf(kj::StringPtr machine) {
  return {1000 + machine.slice(1).parseAs<pid_t>(), 1};
}
inline ProcessIdentity deviceOf(kj::StringPtr machine) {
  return {500000 + machine.slice(1).parseAs<pid_t>(), 1};
}

// What was done to a host of machines for tests, in its order.
class Deeds final {
public:
  void add(kj::String deed) { list.lockExclusive()->add(kj::mv(deed)); }
  kj::String told() { return kj::strArray(*list.lockExclusive(), ", "); }

private:
  kj::MutexGuarded<kj::Vector<kj::String>> list;
};

// Records in memory, on a disk that may hang, and no other files.
class TestStorage final: public MachineStorage {
public:
  // With a thread for its records or without.
  explicit TestStorage(Deeds& deeds, kj::Maybe<kj::Own<WorkerThread>> thread = nullptr)
      : deeds(deeds), thread(kj::mv(thread)) {}
  ~TestStorage() noexcept(false) { hang(false); }

  void hang(bool hangs) { disk.lockExclusive()->hangs = hangs; }
  // How often a record was read.
  size_t reads() { return disk.lockExclusive()->reads; }

  void saveRecord(const MachineRecord& record) override {
    wait();
    disk.lockExclusive()->records.upsert(kj::str(record.name), record.clone());
    deeds.add(kj::str("saved ", record.name, record.cpusRun ? " that runs" : ""));
  }
  void removeRecord(kj::StringPtr name) override {
    wait();
    disk.lockExclusive()->records.erase(name);
    deeds.add(kj::str("removed ", name));
  }
  bool hasRecord(kj::StringPtr name) override {
    wait();
    return disk.lockExclusive()->records.find(name) != nullptr;
  }
  kj::Maybe<MachineRecord> loadRecord(kj::StringPtr name) override {
    wait();
    auto d = disk.lockExclusive();
    ++d->reads;
    KJ_IF_MAYBE (record, d->records.find(name)) {
      // Of a damaged one nothing is known.
      if (record->uid > 0) return record->clone();
    }
    return nullptr;
  }
  kj::Array<kj::String> listRecords() override {
    wait();
    auto d = disk.lockExclusive();
    return KJ_MAP(entry, d->records) {
      return kj::str(entry.key);
    };
  }
  kj::Promise<void> runApart(kj::Function<void()> work) override {
    KJ_IF_MAYBE (t, thread) return (*t)->runBefore(kj::mv(work));
    return MachineStorage::runApart(kj::mv(work));
  }

  void prepareFiles(const VmSpec& spec) override {
    deeds.add(kj::str("made files of ", spec.name));
  }
  void removeSecret(const MachineFiles&) override {}
  void makePrivate(kj::StringPtr) override {}
  kj::Promise<void> removeFiles(const MachineFiles&) override { return kj::READY_NOW; }
  kj::Maybe<pid_t> qemuPid(kj::StringPtr name, uint32_t) override { return qemuOf(name).pid; }
  void makeLibvirtFilesPrivate(kj::StringPtr, uint32_t, int) override {}
  bool isMonitorWithheld(kj::StringPtr, uint32_t) override { return false; }
  kj::Promise<void> removeLibvirtFiles(kj::StringPtr, uint32_t) override { return kj::READY_NOW; }
  kj::Promise<void> recordConsole(kj::StringPtr, kj::Own<kj::AsyncIoStream>, ConsoleTail&,
                                  kj::Own<kj::PromiseFulfiller<void>> firstWord) override {
    firstWord->fulfill();
    return kj::READY_NOW;
  }
  kj::Promise<void> whenConsolesWritten() override { return kj::READY_NOW; }
  kj::Maybe<DiskRoom::Space> measure(kj::StringPtr) override { return nullptr; }

private:
  struct Disk {
    bool hangs = false;
    size_t reads = 0;
    kj::TreeMap<kj::String, MachineRecord> records;
  };
  Deeds& deeds;
  kj::MutexGuarded<Disk> disk;
  kj::Maybe<kj::Own<WorkerThread>> thread;

  void wait() {
    disk.lockExclusive().wait([](const Disk& d) { return !d.hangs; });
  }
};

// A QEMU or a vsock device.
struct TestProcess final: public kj::Refcounted {
  TestProcess(ProcessIdentity identity, uint32_t user) : identity(identity), user(user) {
    auto paf = kj::newPromiseAndFulfiller<void>();
    exited = paf.promise.fork();
    exit = kj::mv(paf.fulfiller);
  }
  ProcessIdentity identity;
  uint32_t user;
  bool hasExited = false;
  kj::Duration taken = 0 * kj::SECONDS;
  kj::ForkedPromise<void> exited = nullptr;
  kj::Own<kj::PromiseFulfiller<void>> exit;
};

class TestProcesses final: public MachineProcesses {
public:
  // While it is closed, consoles are not opened.
  bool holdsConsoles = false;
  kj::uint consolesAsked = 0;
  kj::Vector<kj::Own<kj::PromiseFulfiller<void>>> heldConsoles;

  void add(ProcessIdentity identity, uint32_t user) {
    processes.insert(identity.pid, kj::refcounted<TestProcess>(identity, user));
  }
  void addQemu(kj::StringPtr machine) { add(qemuOf(machine), userOf(machine)); }
  void compute(pid_t pid, kj::Duration time) {
    KJ_ASSERT_NONNULL(processes.find(pid))->taken = time;
  }
  void end(pid_t pid) {
    KJ_IF_MAYBE (process, processes.find(pid)) {
      (*process)->hasExited = true;
      (*process)->exit->fulfill();
    }
    processes.erase(pid);
  }

  kj::Maybe<kj::Own<ProcessHandle>> open(pid_t pid) override {
    KJ_IF_MAYBE (process, processes.find(pid)) {
      kj::Own<ProcessHandle> handle = kj::heap<Handle>(kj::addRef(**process));
      return kj::mv(handle);
    }
    return nullptr;
  }
  kj::Maybe<kj::Own<ProcessHandle>> open(const ProcessIdentity& identity) override {
    return open(identity.pid);
  }
  kj::Own<ProcessorTime> processorTime(const ProcessIdentity& identity) override {
    return kj::heap<Time>(kj::addRef(*KJ_ASSERT_NONNULL(processes.find(identity.pid))));
  }
  void signalAll(uint32_t, int) override {}
  kj::Promise<void> killAll(uint32_t) override { return kj::READY_NOW; }
  bool isAnyRunning(uint32_t, kj::StringPtr) override { return false; }
  kj::Promise<kj::Own<ProcessHandle>> startVsockDevice(VsockDeviceSpec) override {
    KJ_UNIMPLEMENTED("not in these tests");
  }
  bool hasVsockWorker(pid_t) override { return true; }
  kj::Promise<kj::Own<kj::AsyncIoStream>> dialVsockDevice(kj::String, uint32_t, uint32_t) override {
    KJ_UNIMPLEMENTED("not in these tests");
  }
  kj::Promise<kj::Own<kj::AsyncIoStream>> dialKernelVsock(uint32_t, uint32_t) override {
    KJ_UNIMPLEMENTED("not in these tests");
  }
  kj::Promise<kj::Own<MemoryExport>> exportMemory(MemoryExportSpec) override {
    KJ_UNIMPLEMENTED("not in these tests");
  }
  kj::Promise<kj::Own<kj::AsyncIoStream>> openConsole(kj::StringPtr, uint32_t) override {
    ++consolesAsked;
    if (holdsConsoles) {
      auto paf = kj::newPromiseAndFulfiller<void>();
      heldConsoles.add(kj::mv(paf.fulfiller));
      co_await paf.promise;
    }
    auto pipe = kj::newTwoWayPipe();
    co_return kj::mv(pipe.ends[0]);
  }

private:
  class Handle final: public ProcessHandle {
  public:
    explicit Handle(kj::Own<TestProcess> process) : process(kj::mv(process)) {}
    const ProcessIdentity& identity() const override { return process->identity; }
    kj::Maybe<uint32_t> user() const override {
      if (hasExited()) return nullptr;
      return process->user;
    }
    kj::Promise<void> onExit() override { return process->exited.addBranch(); }
    bool hasExited() const override { return process->hasExited; }
    void signal(int) const override {}

  private:
    kj::Own<TestProcess> process;
  };

  class Time final: public ProcessorTime {
  public:
    explicit Time(kj::Own<TestProcess> process) : process(kj::mv(process)) {}
    kj::Maybe<kj::Duration> taken() const override { return process->taken; }

  private:
    kj::Own<TestProcess> process;
  };

  kj::HashMap<pid_t, kj::Own<TestProcess>> processes;
};

// libvirt, with domains of these names.
class TestSession final: public LibvirtSession {
public:
  TestSession(Deeds& deeds, TestProcesses& processes) : deeds(deeds), processes(processes) {}

  bool isAlive() const override { return true; }
  int create(kj::StringPtr, const DiskPassphrase& passphrase) const override {
    deeds.add(kj::str("created ", passphrase.usage));
    processes.addQemu(passphrase.usage);
    return 1;
  }
  void resume(kj::StringPtr name) const override { deeds.add(kj::str("resumed ", name)); }
  void pause(kj::StringPtr name) const override { deeds.add(kj::str("paused ", name)); }
  void destroy(kj::StringPtr name) const override {
    deeds.add(kj::str("destroyed ", name));
    processes.end(qemuOf(name).pid);
  }
  void save(kj::StringPtr, kj::StringPtr) const override {}
  int restore(kj::StringPtr, kj::StringPtr, kj::StringPtr, const DiskPassphrase&) const override {
    KJ_UNIMPLEMENTED("not in these tests");
  }
  kj::String monitor(kj::StringPtr name, kj::StringPtr command) const override {
    commands.lockExclusive()->add(kj::str(name, " ", command));
    KJ_REQUIRE(!refusesCommands, "QEMU does not obey");
    return kj::str("{\"return\":{}}");
  }
  kj::Array<LibvirtDomain> list() const override {
    return KJ_MAP(name, *domains.lockExclusive()) {
      return LibvirtDomain{kj::str(name), LibvirtDomain::Condition::RUNS};
    };
  }
  kj::Array<LibvirtCpuTime> cpuTimes() const override {
    return KJ_MAP(name, *domains.lockExclusive()) {
      return LibvirtCpuTime{kj::str(name), 5'000'000};
    };
  }
  kj::MutexGuarded<kj::Vector<kj::String>> domains;
  // What QEMUs were told.
  kj::MutexGuarded<kj::Vector<kj::String>> commands;
  bool refusesCommands = false;

private:
  Deeds& deeds;
  TestProcesses& processes;
};

// In the place of threads: each call in a turn of the loop.
class TurnWorkers final: public WorkerSource {
public:
  kj::Own<Worker> newWorker(kj::StringPtr) override { return kj::heap<TurnWorker>(); }

private:
  class TurnWorker final: public Worker, private kj::TaskSet::ErrorHandler {
  public:
    TurnWorker() : tasks(*this) {}

  private:
    kj::TaskSet tasks;

    void add(kj::Own<Job> job) override {
      tasks.add(kj::evalLater([job = kj::mv(job)]() mutable { job->run(); }));
    }
    kj::Promise<void> overdue(kj::String, kj::Duration) override { return kj::NEVER_DONE; }
    void taskFailed(kj::Exception&& exception) override {
      kj::throwFatalException(kj::mv(exception));
    }
  };
};

// The real driver on such a host, in virtual time.
struct TestMachineHost {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::WaitScope& scope = io.waitScope;
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  Deeds deeds;
  kj::Own<TestProcesses> givenProcesses = kj::heap<TestProcesses>();
  kj::Own<TestStorage> givenStorage;
  TestProcesses& processes = *givenProcesses;
  TestStorage& storage;
  kj::Own<TestSession> session = kj::atomicRefcounted<TestSession>(deeds, processes);
  kj::Own<VmDriver> driver;

  // Whether records have a thread.
  explicit TestMachineHost(bool hasThread = false)
      : givenStorage(kj::heap<TestStorage>(deeds, threadIf(hasThread))), storage(*givenStorage) {
    auto settings = kj::heap<LibvirtDriverSettings>();
    settings->stateDir = kj::str("/state");
    settings->runtimeDir = kj::str("/run/driver");
    auto libvirt = LibvirtConnection::open(
                       timer, {.place = {},
                               .limits = settings->limits,
                               .kvm = KvmNode::HOSTS,
                               .session = kj::Own<const LibvirtSession>(kj::atomicAddRef(*session)),
                               .events = kj::atomicRefcounted<LibvirtEventBox>(),
                               .workers = kj::Own<WorkerSource>(kj::heap<TurnWorkers>())})
                       .wait(scope);
    HostAbilities abilities{HostAbilities::Accelerator::KVM, HostAbilities::Vsock::KERNEL, nullptr,
                            nullptr};
    driver = newLibvirtDriver(MachineHost(timer, kj::mv(settings), kj::mv(abilities),
                                          kj::mv(givenProcesses), kj::mv(givenStorage),
                                          kj::mv(libvirt)));
  }
  KJ_DISALLOW_COPY_AND_MOVE(TestMachineHost);

  kj::Maybe<kj::Own<WorkerThread>> threadIf(bool hasThread) {
    if (!hasThread) return nullptr;
    return kj::heap<WorkerThread>(timer, "the records");
  }

  VmSpec spec(kj::StringPtr name) {
    auto spec = testSpec(name, userOf(name), userOf(name));
    spec.secret = kj::heapArray<kj::byte>(32);
    return spec;
  }
  // One that an earlier driver has started.
  void leaveRunning(kj::StringPtr name, bool hasDevice = false) {
    MachineRecord record{kj::str(name), kj::str("/run/", name), userOf(name)};
    record.qemu = qemuOf(name);
    record.cpusRun = true;
    if (hasDevice) {
      record.vsockDevice = deviceOf(name);
      processes.add(deviceOf(name), userOf(name));
    }
    storage.saveRecord(record);
    processes.addQemu(name);
    session->domains.lockExclusive()->add(kj::str(name));
  }
  void pass(kj::Duration time) {
    scope.poll();
    timer.advanceTo(timer.now() + time);
    scope.poll();
  }
  // What it comes to, however long that takes in virtual time, and a minute at most on the threads.
  template <typename T>
  T within(kj::Promise<T> promise) {
    constexpr auto LIMIT = 60 * kj::SECONDS;
    auto& clock = kj::systemPreciseMonotonicClock();
    const auto deadline = clock.now() + LIMIT;
    while (!promise.poll(scope)) {
      KJ_REQUIRE(clock.now() < deadline, "it waits for ever");
      pass(100 * kj::MILLISECONDS);
      usleep(100);
    }
    return promise.wait(scope);
  }
};

}  // namespace bothy
