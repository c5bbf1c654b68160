#include "simulation/simulated-storage.h"

#include <kj/debug.h>
#include <kj/vector.h>

namespace bothy {
namespace {

MachineRecord copyOf(const MachineRecord& record) {
  return {kj::str(record.name), kj::str(record.runtimeDir),
          record.uid,           record.vsockDevice,
          record.cpusRun,       record.qemu};
}

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

void SimulatedStorage::mayRefuse(kj::StringPtr what, kj::StringPtr name) {
  lifetime.require();
  if (!host.fate.strikes(Fault::STORAGE_REFUSED)) return;
  host.trace.line("driver", what, " ", host.label(name), ": refused");
  kj::throwFatalException(KJ_EXCEPTION(FAILED, "simulated: the file system does not obey"));
}

void SimulatedStorage::saveRecord(const MachineRecord& record) {
  mayRefuse("save the record of", record.name);
  apply(lifetime, [&]() {
    host.machinery.records.upsert(kj::str(record.name), copyOf(record));
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
      [](const MachineRecord& record) { return copyOf(record); });
}

kj::Array<kj::String> SimulatedStorage::listRecords() {
  mayRefuse("list the records", "");
  kj::Vector<kj::String> names;
  for (auto& entry : host.machinery.records) names.add(kj::str(entry.key));
  return names.releaseAsArray();
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
  mayRefuse("remove the files of", name);
  apply(lifetime, [&]() {
    for (auto& entry : host.machinery.processes) {
      if (entry.value->machine == name) {
        host.judge.accuse("the files of ", host.label(name),
                          " are removed while a process of it lives");
      }
    }
    host.machinery.removeRuntimeFiles(name);
  });
  return kj::READY_NOW;
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
  mayRefuse("remove libvirt's files of", name);
  apply(lifetime, [&]() { host.machinery.removeLibvirtFiles(name); });
  return kj::READY_NOW;
}

kj::Promise<void> SimulatedStorage::recordConsole(kj::StringPtr logParam,
                                                  kj::Own<kj::AsyncIoStream> console,
                                                  ConsoleTail& tail,
                                                  kj::Own<kj::PromiseFulfiller<void>> firstWord) {
  auto id = nameIn("/console/", logParam);
  mayRefuse("open the console's log of", id);
  KJ_IF_MAYBE (log, host.consoles.find(id)) tail.add(log->asBytes());
  for (;;) {
    char bytes[512];
    size_t count = co_await console->tryRead(bytes, 1, sizeof(bytes));
    if (count == 0) co_return;
    tail.add(kj::arrayPtr(bytes, count).asBytes());
    firstWord->fulfill();
    KJ_IF_MAYBE (log, host.consoles.find(id)) {
      kj::Vector<char> longer;
      longer.addAll(*log);
      longer.addAll(kj::arrayPtr(bytes, count));
      *log = longer.releaseAsArray();
    }
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
