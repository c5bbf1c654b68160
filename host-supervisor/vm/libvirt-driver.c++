#include "vm/libvirt-driver.h"

#include <kj/debug.h>
#include <kj/map.h>
#include <kj/vector.h>

#include "loop/failure-of.h"
#include "loop/slots.h"
#include "vm/domain-listing.h"
#include "vm/domain-xml.h"
#include "vm/host-probe.h"
#include "vm/libvirt-machine.h"
#include "vm/libvirt-root.h"
#include "vm/machine-consumption.h"
#include "vm/machine-handle.h"
#include "vm/machine-host.h"
#include "vm/memory-format.h"
#include "vm/versions.h"

namespace bothy {
namespace {

// Machines that are taken over at the same time.
constexpr size_t ADOPTIONS_AT_ONCE = 16;

// Between two looks whether a dial is under way.
constexpr kj::Duration DIAL_POLL_PAUSE = 2 * kj::MILLISECONDS;

class LibvirtDriver final: public CountedVmDriver, private kj::TaskSet::ErrorHandler {
public:
  explicit LibvirtDriver(MachineHost hostParam) : host(kj::mv(hostParam)), tasks(*this) {
    tasks.add(dispatch());
  }

  const HostAbilities& abilities() override { return host.abilities; }
  void setEvents(Events& events) override { host.listener = events; }

  kj::Promise<kj::Own<RunningVm>> start(VmSpec spec, kj::Maybe<TurnListener&> listener) override {
    return begin(kj::mv(spec),
                 [listener](LibvirtMachine& machine) mutable { return machine.start(listener); });
  }

  kj::Promise<kj::Own<RunningVm>> restore(VmSpec spec, MemoryFile file,
                                          kj::Maybe<TurnListener&> listener) override {
    return begin(kj::mv(spec), [file = kj::mv(file), listener](LibvirtMachine& machine) mutable {
      return machine.restore(kj::mv(file), listener);
    });
  }

  kj::Promise<kj::Maybe<kj::Own<RunningVm>>> adopt(VmSpec spec) override {
    Counted call(*calls);
    requireMachineName(spec.name);
    co_await untilGone(spec.name);
    KJ_IF_MAYBE (known, machines.find(spec.name)) {
      kj::Own<RunningVm> vm = newMachineHandle(kj::addRef(**known));
      co_return kj::mv(vm);
    }
    const bool hasRecord = co_await host.records->has(spec.name);
    if (!hasRecord) co_return nullptr;

    auto domains = listing();
    KJ_DEFER(leave(domains));
    auto slot = co_await adoptions.take();
    auto condition = co_await domains->conditionOf(spec.name);
    leave(domains);
    KJ_REQUIRE(machines.find(spec.name) == nullptr, "a machine is taken over twice", spec.name);
    auto machine = add(kj::mv(spec));
    bool isForgotten = true;
    KJ_DEFER(if (isForgotten) machines.erase(machine->name()));
    bool runs = co_await machine->adopt(condition);
    isForgotten = false;
    if (runs) {
      serve(*machine);
      kj::Own<RunningVm> vm = newMachineHandle(kj::mv(machine));
      co_return kj::mv(vm);
    }
    // It ended meanwhile, or its CPUs never ran.
    retire(*machine);
    co_await machine->ended();
    co_return nullptr;
  }

  kj::Promise<void> remove(kj::StringPtr nameParam, kj::Maybe<uint32_t> user) override {
    Counted call(*calls);
    requireMachineName(nameParam);
    auto name = kj::str(nameParam);
    if (co_await removeUnlessDamaged(name) == Record::DAMAGED) {
      auto& ending = damaged.findOrCreate(name, [&]() -> decltype(damaged)::Entry {
        auto ending = removeDamaged(kj::str(name), user).fork();
        // Who waits for it is told what failed.
        tasks.add(
            ending.addBranch().catch_([](kj::Exception&&) {}).then([this, name = kj::str(name)]() {
              damaged.erase(name);
            }));
        return {kj::str(name), kj::mv(ending)};
      });
      co_await ending.addBranch();
    }
  }

  kj::Promise<kj::Array<MachineUser>> users() override {
    Counted call(*calls);
    auto all = co_await host.records->all();
    co_return KJ_MAP(found, all) {
      auto uid = found.record.map([](const MachineRecord& record) { return record.uid; });
      return MachineUser{kj::mv(found.name), uid};
    };
  }

  kj::Promise<kj::Array<VmConsumption>> consumption() override {
    auto times = co_await host.libvirt->cpuTimes();
    kj::Vector<VmConsumption> consumed(times.size() + host.ended.size());
    // First: another of that name may run by now.
    for (auto& each : host.ended) consumed.add(kj::mv(each));
    host.ended.clear();
    for (auto& time : times) {
      KJ_IF_MAYBE (machine, machines.find(time.name)) {
        KJ_IF_MAYBE (qemu, (*machine)->qemuIdentity()) {
          if ((*machine)->isDismantled()) continue;
          const auto qemuName = MachineConsumption::nameOf(*qemu);
          consumed.add(VmConsumption{kj::mv(time.name), qemuName, time.nanos});
        }
      }
    }
    co_return consumed.releaseAsArray();
  }

  kj::Promise<void> whenNotDialling() override {
    host.holdsDials = true;
    KJ_DEFER(host.holdsDials = false);
    while (dials() > 0) co_await host.timer.afterDelay(DIAL_POLL_PAUSE);
  }
  kj::Promise<void> whenConsolesWritten() override { return host.storage->whenConsolesWritten(); }

  Counts counts() override {
    return {.machines = machines.size(),
            .objects = host.objects->value,
            .keepers = keepers->value,
            .calls = calls->value,
            .dials = dials(),
            .listings = lastListing == nullptr ? 0u : 1u,
            .isLibvirtIdle = host.libvirt->isIdle()};
  }

private:
  MachineHost host;
  kj::HashMap<kj::String, kj::Own<LibvirtMachine>> machines;
  Slots adoptions{ADOPTIONS_AT_ONCE};
  kj::Maybe<kj::Own<DomainListing>> lastListing;
  // Ends of machines whose record is damaged, each once, whoever asks for it.
  kj::HashMap<kj::String, kj::ForkedPromise<void>> damaged;
  kj::Own<Counted::Count> calls = kj::refcounted<Counted::Count>();
  kj::Own<Counted::Count> keepers = kj::refcounted<Counted::Count>();
  kj::TaskSet tasks;

  kj::Promise<kj::Own<RunningVm>> begin(VmSpec spec,
                                        kj::Function<kj::Promise<void>(LibvirtMachine&)> bringUp) {
    Counted call(*calls);
    requireMachineName(spec.name);
    co_await untilGone(spec.name);
    KJ_REQUIRE(machines.find(spec.name) == nullptr, "a machine of this name runs", spec.name);
    auto machine = add(kj::mv(spec));
    bool isStarted = false;
    KJ_DEFER(if (!isStarted) retire(*machine));
    auto failure = co_await failureOf([&]() { return bringUp(*machine); });
    KJ_IF_MAYBE (exception, failure) {
      retire(*machine);
      co_await machine->ended();
      kj::throwFatalException(kj::mv(*exception));
    }
    isStarted = true;
    serve(*machine);
    co_return newMachineHandle(kj::mv(machine));
  }

  size_t dials() {
    size_t count = 0;
    for (auto& machine : machines) count += machine.value->dials();
    return count;
  }

  // The same for all adoptions that are under way: after a restart there may be thousands.
  kj::Own<DomainListing> listing() {
    KJ_IF_MAYBE (last, lastListing) {
      if ((*last)->isOpen()) return kj::addRef(**last);
    }
    return kj::addRef(*lastListing.emplace(kj::refcounted<DomainListing>(host.libvirt->list())));
  }

  // It is not kept when all who looked into it have.
  void leave(kj::Own<DomainListing>& domains) {
    domains = nullptr;
    KJ_IF_MAYBE (last, lastListing) {
      if (!(*last)->isShared()) lastListing = nullptr;
    }
  }

  kj::Own<LibvirtMachine> add(VmSpec spec) {
    auto name = kj::str(spec.name);
    auto machine = kj::refcounted<LibvirtMachine>(host, kj::mv(spec));
    machines.insert(kj::mv(name), kj::addRef(*machine));
    return machine;
  }

  kj::Promise<void> untilGone(kj::StringPtr name) {
    for (;;) {
      KJ_IF_MAYBE (machine, machines.find(name)) {
        if (!(*machine)->isDismantled()) co_return;
        auto leaving = kj::addRef(**machine);
        co_await leaving->ended();
        // Its owner forgets it in the same turn, perhaps after us.
        co_await kj::evalLater([]() {});
      } else {
        co_return;
      }
    }
  }

  // Ends it and all that is left of it; not where that needs its record, which is DAMAGED.
  enum class Record { GONE, DAMAGED };
  kj::Promise<Record> removeUnlessDamaged(kj::StringPtr nameParam) {
    auto name = kj::str(nameParam);
    for (;;) {
      co_await untilGone(name);
      KJ_IF_MAYBE (machine, machines.find(name)) {
        auto running = kj::addRef(**machine);
        co_await running->destroy();
        co_return Record::GONE;
      }
      auto found = co_await host.records->find(name);
      bool isUserOthers = false;
      KJ_IF_MAYBE (f, found) {
        KJ_IF_MAYBE (record, f->record) {
          isUserOthers = !hasProcesses(*record) && co_await isOfAnother(record->uid, name);
        }
      }
      // Somebody else may end it by now.
      if (machines.find(name) != nullptr) continue;
      KJ_IF_MAYBE (f, found) {
        if (f->record == nullptr) co_return Record::DAMAGED;
        co_await removeRecorded(kj::mv(KJ_ASSERT_NONNULL(f->record)), isUserOthers);
      }
      co_return Record::GONE;
    }
  }

  kj::Promise<void> removeRecorded(MachineRecord record, bool isUserOthers) {
    VmSpec spec{};
    spec.name = kj::mv(record.name);
    spec.uid = record.uid;
    spec.runtimeDir = kj::mv(record.runtimeDir);
    auto machine = add(kj::mv(spec));
    if (isUserOthers) machine->giveUpUser();
    retire(*machine);
    co_await machine->ended();
  }

  bool hasProcesses(const MachineRecord& record) {
    auto runs = [this](const ProcessIdentity& identity) {
      return identity.pid > 0 && host.processes->open(identity) != nullptr;
    };
    return runs(record.qemu) || runs(record.vsockDevice);
  }

  // A record that could not be removed outlives its machine, and so its lease of a user id.  Where the record of the machine that has it
  // since is damaged, the user of its QEMU tells.
  kj::Promise<bool> isOfAnother(uint32_t user, kj::StringPtr name) {
    auto others = co_await host.records->all();
    for (auto& other : others) {
      if (other.name == name) continue;
      KJ_IF_MAYBE (record, other.record) {
        if (record->uid == user) co_return true;
      } else KJ_IF_MAYBE (qemu, qemuOf(other.name)) {
        KJ_IF_MAYBE (owner, (*qemu)->user()) {
          if (*owner == user) co_return true;
        }
      }
    }
    co_return false;
  }

  // Of a machine whose record cannot be understood libvirt tells whose its processes are, as long as it knows it, or else `user`: a pid
  // that stands in its file alone may be anybody's by now.
  kj::Promise<void> removeDamaged(kj::String name, kj::Maybe<uint32_t> user) {
    auto domains = listing();
    KJ_DEFER(leave(domains));
    const bool isKnown = (co_await domains->conditionOf(name)) != nullptr;
    leave(domains);
    KJ_REQUIRE(!isKnown || user != nullptr || host.storage->qemuPid(name, 0) != nullptr,
               "the record of the machine is damaged, and libvirt's file of its pid is missing",
               name);
    ProcessIdentity identity{0, 0};
    KJ_IF_MAYBE (qemu, qemuOf(name)) {
      auto owner = (*qemu)->user();
      KJ_REQUIRE(isKnown || owner == nullptr || owner == user,
                 "the record of the machine is damaged, and libvirt does not know it: a process of "
                 "the pid that it had runs, and who knows that it is not the machine's removes the "
                 "record",
                 name, (*qemu)->identity().pid);
      KJ_IF_MAYBE (o, owner) {
        user = *o;
        identity = (*qemu)->identity();
      }
    }
    KJ_IF_MAYBE (u, user) {
      // From here on it is as any other, also for the next bothyd.
      MachineRecord record{kj::str(name), nullptr, *u};
      record.qemu = identity;
      co_await host.records->save(record);
      const auto outcome = co_await removeUnlessDamaged(name);
      KJ_REQUIRE(outcome == Record::GONE, "the record of the machine is damaged again", name);
      co_return;
    }
    co_await host.libvirt->destroy(name);
    co_await host.storage->removeLibvirtFiles(name, 0);
    co_await host.records->remove(name);
  }

  // What runs under the pid that libvirt has in the machine's file, if anything.
  kj::Maybe<kj::Own<ProcessHandle>> qemuOf(kj::StringPtr name) {
    KJ_IF_MAYBE (pid, host.storage->qemuPid(name, 0)) return host.processes->open(*pid);
    return nullptr;
  }

  void serve(LibvirtMachine& machine) { own(machine, machine.serve()); }
  void retire(LibvirtMachine& machine) {
    if (!machine.isDismantled()) own(machine, machine.dismantle());
  }
  // Runs `life` to its end, whoever waits for it, and forgets the machine after it.
  void own(LibvirtMachine& machine, kj::Promise<void> life) {
    auto name = kj::str(machine.name());
    tasks.add(life.then([this, name = kj::mv(name)]() { machines.erase(name); })
                  .attach(kj::addRef(machine), kj::heap<Counted>(*keepers)));
  }

  kj::Promise<void> dispatch() {
    return dispatchEvents(
        host.timer, [this]() { return host.libvirt->nextEvent(); },
        [this](LibvirtEvent event) {
          KJ_IF_MAYBE (machine, machines.find(event.domain)) {
            (*machine)->handle(kj::mv(event));
          }
        });
  }

  void taskFailed(kj::Exception&& exception) override {
    KJ_LOG(ERROR, "a machine's keeper failed", exception);
  }
};

}  // namespace

kj::Promise<kj::Own<CountedVmDriver>> openLibvirtDriver(kj::AsyncIoContext& io, Subreaper& reaper,
                                                        LibvirtDriverSettings settings) {
  HostAbilities abilities;
  KJ_IF_MAYBE (given, settings.abilities) {
    abilities = kj::mv(*given);
  } else {
    abilities = co_await probeHost(io, reaper, settings);
  }
  LibvirtSession::Place place{kj::str(settings.uri), nullptr};
  const bool isKvm = abilities.accelerator == HostAbilities::Accelerator::KVM;
  auto kvm = KvmNode::HOSTS;
  if (settings.uri.size() == 0) {
    place = prepareLibvirtRoot(settings);
    // Where nobody may use KVM, libvirt does not see it.
    kvm = isKvm ? KvmNode::OPEN : KvmNode::HIDDEN;
  }
  auto libvirt = co_await LibvirtConnection::open(io.provider->getTimer(),
                                                  {kj::mv(place), settings.limits, kvm});
  auto& timer = io.provider->getTimer();
  if (abilities.memoryFormat.size() == 0) {
    auto emulator =
        co_await emulatorVersion(io.unixEventPort, reaper, settings.emulator, settings.probeUser);
    abilities.memoryFormat = memoryFormat(emulator.text, isKvm);
  }
  auto kept = kj::heap<const LibvirtDriverSettings>(kj::mv(settings));
  auto processes = newHostProcesses(io, reaper, kept->killSender);
  auto storage = newHostStorage(timer, *kept);
  co_return newLibvirtDriver(MachineHost(timer, kj::mv(kept), kj::mv(abilities), kj::mv(processes),
                                         kj::mv(storage), kj::mv(libvirt)));
}

kj::Own<CountedVmDriver> newLibvirtDriver(MachineHost host) {
  return kj::heap<LibvirtDriver>(kj::mv(host));
}

}  // namespace bothy
