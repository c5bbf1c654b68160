#include "vm/machine-record.h"

#include <stdio.h>

#include <kj/debug.h>
#include <kj/filesystem.h>

namespace bothy {
namespace {

kj::Own<const kj::Directory> openMachines(kj::StringPtr stateDir) {
  auto fs = kj::newDiskFilesystem();
  auto path = fs->getCurrentPath().evalNative(stateDir).append("machines");
  return fs->getRoot().openSubdir(
      path, kj::WriteMode::CREATE | kj::WriteMode::MODIFY | kj::WriteMode::PRIVATE);
}

// In the place of the directory.
constexpr kj::StringPtr UNKNOWN = "-"_kj;

}  // namespace

MachineRecord MachineRecord::clone() const {
  return {kj::str(name), kj::str(runtimeDir), uid, vsockDevice, cpusRun, qemu};
}

void MachineRecord::save(kj::StringPtr stateDir) const {
  auto directory = openMachines(stateDir);
  auto file = directory->replaceFile(kj::Path(kj::str(name)), kj::WriteMode::CREATE |
                                                                  kj::WriteMode::MODIFY |
                                                                  kj::WriteMode::PRIVATE);
  file->get().writeAll(kj::str(uid, " ", vsockDevice.pid, " ", vsockDevice.startTime, " ",
                               cpusRun ? 1 : 0, " ", qemu.pid, " ", qemu.startTime, " ",
                               runtimeDir.size() > 0 ? runtimeDir.asPtr() : UNKNOWN));
  file->commit();
}

void MachineRecord::remove(kj::StringPtr stateDir, kj::StringPtr name) {
  openMachines(stateDir)->tryRemove(kj::Path(kj::str(name)));
}

bool MachineRecord::exists(kj::StringPtr stateDir, kj::StringPtr name) {
  return openMachines(stateDir)->exists(kj::Path(kj::str(name)));
}

kj::Maybe<MachineRecord> MachineRecord::load(kj::StringPtr stateDir, kj::StringPtr name) {
  KJ_IF_MAYBE (file, openMachines(stateDir)->tryOpenFile(kj::Path(kj::str(name)))) {
    auto text = (*file)->readAllText();
    unsigned uid;
    int pid;
    unsigned long long startTime;
    // What the first bothyds did not write.
    unsigned cpusRun = 1;
    int qemuPid = 0;
    unsigned long long qemuStartTime = 0;
    int end = 0;
    int numbers = sscanf(text.cStr(), "%u %d %llu %n%u %n%d %llu %n", &uid, &pid, &startTime, &end,
                         &cpusRun, &end, &qemuPid, &qemuStartTime, &end);
    auto place = text.slice(end);
    if (numbers >= 3 && uid != 0 && end > 0 && (place.startsWith("/") || place == UNKNOWN)) {
      auto runtimeDir = place == UNKNOWN ? kj::String() : kj::str(place);
      return MachineRecord{kj::str(name),    kj::mv(runtimeDir), uid,
                           {pid, startTime}, cpusRun != 0,       {qemuPid, qemuStartTime}};
    }
    KJ_LOG(ERROR, "the record of a machine is damaged", name);
  }
  return nullptr;
}

kj::Array<kj::String> MachineRecord::list(kj::StringPtr stateDir) {
  return openMachines(stateDir)->listNames();
}

}  // namespace bothy
