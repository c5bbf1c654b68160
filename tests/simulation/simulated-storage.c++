#include "simulation/simulated-storage.h"

#include <kj/debug.h>
#include <kj/vector.h>

#include "vm/console-log.h"

namespace bothy {
namespace {

using Kind = SimulatedDisk::Kind;

constexpr SimulatedDisk::Faults FAULTS{Fault::STORAGE_REFUSED, Fault::STORAGE_FULL,
                                       Fault::STORAGE_SLOW};

// What follows `directory` in `path`, up to a slash.
kj::String nameIn(kj::StringPtr directory, kj::StringPtr path) {
  KJ_REQUIRE(path.startsWith(directory), "simulated: no such path", path);
  auto rest = path.slice(directory.size());
  KJ_IF_MAYBE (slash, rest.findFirst('/')) {
    return kj::heapString(rest.slice(0, *slash));
  }
  return kj::str(rest);
}

}  // namespace

SimulatedStorage::SimulatedStorage(SimulatedHost& host, Lifetime& lifetime)
    : host(host),
      lifetime(lifetime),
      removals(host, lifetime, "driver", FAULTS),
      openings(host, lifetime, "driver", FAULTS),
      writings(host, lifetime, "driver", FAULTS),
      records(host, lifetime, "driver", FAULTS),
      writes(*this) {}

void SimulatedStorage::taskFailed(kj::Exception&& exception) {
  host.judge.accuse("what a console has said is not written any more: ",
                    exception.getDescription());
}

void SimulatedStorage::mayRefuse(kj::StringPtr what, kj::StringPtr name) {
  lifetime.require();
  if (!host.fate.strikes(Fault::STORAGE_REFUSED)) return;
  host.trace.line("driver", what, " ", host.label(name), ": refused");
  kj::throwFatalException(KJ_EXCEPTION(FAILED, "simulated: the file system does not obey"));
}

void SimulatedStorage::mayBeFull(kj::StringPtr what, kj::StringPtr name) {
  if (!host.fate.strikes(Fault::STORAGE_FULL)) return;
  host.trace.line("driver", what, " ", host.label(name), ": no space left on device");
  kj::throwFatalException(KJ_EXCEPTION(OVERLOADED, "simulated: no space left on device"));
}

void SimulatedStorage::saveRecord(const MachineRecord& record) {
  mayRefuse("save the record of", record.name);
  // The record that was there stays.
  mayBeFull("save the record of", record.name);
  apply(lifetime, [&]() {
    host.machinery.records.upsert(kj::str(record.name), record.clone());
    host.machinery.damagedRecords.eraseMatch(record.name);
    host.touch();
  });
}

void SimulatedStorage::removeRecord(kj::StringPtr name) {
  mayRefuse("remove the record of", name);
  apply(lifetime, [&]() {
    host.machinery.records.erase(name);
    host.machinery.damagedRecords.eraseMatch(name);
    host.machinery.settle(name);
  });
}

bool SimulatedStorage::hasRecord(kj::StringPtr name) {
  mayRefuse("look for the record of", name);
  return host.machinery.records.find(name) != nullptr;
}

kj::Maybe<MachineRecord> SimulatedStorage::loadRecord(kj::StringPtr name) {
  mayRefuse("read the record of", name);
  if (host.machinery.damagedRecords.find(name) != nullptr) return nullptr;
  return host.machinery.records.find(name).map(
      [](const MachineRecord& record) { return record.clone(); });
}

kj::Array<kj::String> SimulatedStorage::listRecords() {
  mayRefuse("list the records", "");
  kj::Vector<kj::String> names;
  for (auto& entry : host.machinery.records) names.add(kj::str(entry.key));
  return names.releaseAsArray();
}

kj::Promise<void> SimulatedStorage::runApart(kj::Function<void()> work) {
  return records.run({.what = kj::str("use the records"),
                      .kind = Kind::ASIDE,
                      .needsSpace = false,
                      .effect = kj::mv(work)});
}

void SimulatedStorage::prepareFiles(const VmSpec& spec) {
  mayRefuse("make the files of", spec.name);
  KJ_REQUIRE(host.runtimeDirs.find(spec.name) != nullptr,
             "simulated: the runtime directory is missing");
  apply(lifetime, [&]() {
    host.touch();
    auto& files = host.machinery.files.findOrCreate(spec.name, [&]() {
      return kj::TreeMap<kj::String, SimulatedMachinery::Files>::Entry{kj::str(spec.name), {}};
    });
    files.isPrepared = true;
    mayBeFull("make the files of", spec.name);
    files.hasSecret = true;
    host.machinery.specs.upsert(kj::str(spec.name), copyWithoutKey(spec));
  });
}

void SimulatedStorage::removeSecret(const MachineFiles& files) {
  auto name = nameIn("/run/", files.secret());
  mayRefuse("remove the secret of", name);
  apply(lifetime, [&]() {
    KJ_IF_MAYBE (found, host.machinery.files.find(name)) found->hasSecret = false;
  });
}

void SimulatedStorage::makePrivate(kj::StringPtr path) {
  auto name = nameIn("/run/", path);
  mayRefuse("close a socket of", name);
}

kj::Promise<void> SimulatedStorage::removeFiles(const MachineFiles& filesOf) {
  auto name = nameIn("/run/", filesOf.secret());
  auto examine = [](SimulatedHost& host, kj::StringPtr name) {
    for (auto& entry : host.machinery.processes) {
      if (entry.value->machine == name) {
        host.judge.accuse("the files of ", host.label(name),
                          " are removed while a process of it lives");
      }
    }
  };
  auto effect = [this, examine, name = kj::str(name)]() {
    examine(host, name);
    host.machinery.removeRuntimeFiles(name);
  };
  auto half = [this, examine, name = kj::str(name)]() {
    examine(host, name);
    KJ_IF_MAYBE (found, host.machinery.files.find(name)) found->hasSecret = false;
  };
  return removals.run({.what = kj::str("remove the files of ", host.label(name)),
                       .kind = Kind::STEP,
                       .needsSpace = false,
                       .effect = kj::mv(effect),
                       .half = kj::mv(half)});
}

kj::Maybe<pid_t> SimulatedStorage::qemuPid(kj::StringPtr name, uint32_t) {
  mayRefuse("read the pid of", name);
  KJ_IF_MAYBE (files, host.machinery.files.find(name)) {
    KJ_IF_MAYBE (qemu, files->qemu) {
      return qemu->pid;
    }
  }
  return nullptr;
}

void SimulatedStorage::makeLibvirtFilesPrivate(kj::StringPtr name, uint32_t, int) {
  mayRefuse("close libvirt's files of", name);
}

bool SimulatedStorage::isMonitorWithheld(kj::StringPtr, uint32_t) {
  return false;
}

kj::Promise<void> SimulatedStorage::removeLibvirtFiles(kj::StringPtr name, uint32_t) {
  auto effect = [this, name = kj::str(name)]() { host.machinery.removeLibvirtFiles(name); };
  auto half = [this, name = kj::str(name)]() {
    KJ_IF_MAYBE (found, host.machinery.files.find(name)) found->hasLog = false;
  };
  return removals.run({.what = kj::str("remove libvirt's files of ", host.label(name)),
                       .kind = Kind::STEP,
                       .needsSpace = false,
                       .effect = kj::mv(effect),
                       .half = kj::mv(half)});
}

// A console's log, of which a bothyd has recorded something.
struct SimulatedStorage::Log final: public kj::Refcounted {
  explicit Log(kj::String id) : id(kj::mv(id)) {}

  const kj::String id;
  // When it is open.
  kj::Maybe<kj::Own<SimulatedHost::Console>> file;
  // Said before that.
  kj::Vector<char> early;
  struct State final: public kj::Refcounted {
    bool hasFailed = false;
  };
  kj::Own<State> state = kj::refcounted<State>();
  // Nobody waits for the file any more.
  bool isWithdrawn = false;
  kj::ForkedPromise<void> written = kj::Promise<void>(kj::READY_NOW).fork();
};

kj::Promise<void> SimulatedStorage::recordConsole(kj::StringPtr path,
                                                  kj::Own<kj::AsyncIoStream> console,
                                                  ConsoleTail& tail,
                                                  kj::Own<kj::PromiseFulfiller<void>> firstWord) {
  auto log = kj::refcounted<Log>(nameIn("/console/", path));
  // Whoever holds the machine may let go of it after this has gone.
  auto& timer = host.timer;
  auto alive = kj::addRef(*presence);
  KJ_DEFER(if (!alive->isOver) log->isWithdrawn = !lifetime.isOver());
  auto open = [this, log = kj::addRef(*log)]() mutable {
    bool isNew = false;
    log->file = kj::addRef(*host.consoles.findOrCreate(log->id, [&]() {
      isNew = true;
      return kj::TreeMap<kj::String, kj::Own<SimulatedHost::Console>>::Entry{
          kj::str(log->id), kj::refcounted<SimulatedHost::Console>()};
    }));
    if (isNew && log->isWithdrawn) host.consoles.erase(log->id);
  };
  auto opened = openings
                    .run({.what = kj::str("open the console's log of ", host.label(log->id)),
                          .kind = Kind::ASIDE,
                          .needsSpace = false,
                          .effect = kj::mv(open)})
                    .then(
                        [this, &tail, &log = *log]() {
                          tail.precede(KJ_ASSERT_NONNULL(log.file)->said.asPtr().asBytes());
                          auto early = kj::mv(log.early);
                          if (early.size() > 0) write(log, early);
                        },
                        [&log = *log](kj::Exception&&) { log.state->hasFailed = true; })
                    .eagerlyEvaluate(nullptr);
  kj::Maybe<kj::Exception> broken;
  co_await read(*console, tail, *firstWord, *log).catch_([&](kj::Exception&& e) {
    broken = kj::mv(e);
  });
  auto ended = opened.then([&log = *log]() { return log.written.addBranch(); });
  co_await ended.exclusiveJoin(timer.afterDelay(CONSOLE_END_LIMIT));
  KJ_IF_MAYBE (e, broken) kj::throwFatalException(kj::mv(*e));
}

kj::Promise<void> SimulatedStorage::read(kj::AsyncIoStream& console, ConsoleTail& tail,
                                         kj::PromiseFulfiller<void>& firstWord, Log& log) {
  for (;;) {
    char bytes[512];
    size_t count = co_await console.tryRead(bytes, 1, sizeof(bytes));
    if (count == 0) co_return;
    tail.add(kj::arrayPtr(bytes, count).asBytes());
    firstWord.fulfill();
    write(log, kj::arrayPtr(bytes, count));
  }
}

void SimulatedStorage::write(Log& log, kj::ArrayPtr<const char> said) {
  if (log.state->hasFailed) return;
  KJ_IF_MAYBE (file, log.file) {
    auto append = [&](kj::ArrayPtr<const char> part) {
      return [file = kj::addRef(**file), part = kj::heapArray<char>(part)]() mutable {
        file->said.addAll(part);
      };
    };
    auto written = writings
                       .run({.what = kj::str("write the console of ", host.label(log.id)),
                             .kind = Kind::ASIDE,
                             .needsSpace = true,
                             .effect = append(said),
                             .half = append(said.slice(0, said.size() / 2))})
                       .catch_([state = kj::addRef(*log.state)](kj::Exception&& e) mutable {
                         // What finds no room is lost, and no more than that.
                         const bool isFull = e.getType() == kj::Exception::Type::OVERLOADED;
                         if (!isFull) state->hasFailed = true;
                       });
    log.written = written.fork();
    writes.add(log.written.addBranch());
  } else {
    log.early.addAll(said);
  }
}

kj::Maybe<DiskRoom::Space> SimulatedStorage::measure(kj::StringPtr path) {
  lifetime.require();
  auto name = nameIn("/volumes/", path);
  KJ_IF_MAYBE (machine, host.machinery.machine(name)) {
    // Each disk lies on a file system of its own.
    return DiskRoom::Space{machine->spec.cid, machine->hasRoom() ? DiskRoom::ROOM_BYTES : 0};
  }
  return nullptr;
}

}  // namespace bothy
