#include "boot-report.h"

#include <kj/debug.h>
#include <sys/utsname.h>

#include "process/text-file.h"

namespace bothy {
namespace {

void setKernel(rpc::BootReport::Builder report) {
  struct utsname kernel;
  KJ_SYSCALL(::uname(&kernel));
  report.setKernel(kernel.release);
}

}  // namespace

void writeReport(const Boot& boot, rpc::BootReport::Builder report) {
  auto stages = report.initStages(boot.stages().size());
  for (auto i : kj::indices(boot.stages())) {
    auto& stage = boot.stages()[i];
    stages[i].setName(stage.name);
    stages[i].setStartMicros(stage.start / kj::MICROSECONDS);
    stages[i].setTookMicros(stage.took / kj::MICROSECONDS);
    KJ_IF_MAYBE (failure, stage.failure) {
      stages[i].setFailure(*failure);
    }
  }
  setKernel(report);
  auto bootId = readTextFile("/proc/sys/kernel/random/boot_id");
  report.setBootId(kj::str(trimmed(bootId.asArray())));
  report.setAgentVersion(BOTHY_VERSION);
  report.getImage().setName(boot.image().name);
  report.getImage().setVersion(boot.image().version);
  KJ_SWITCH_ONEOF(boot.disk()) {
    KJ_CASE_ONEOF(ready, DiskReady) {
      report.getDataDisk().initReady().setCreated(ready.created);
    }
    KJ_CASE_ONEOF(absent, DiskAbsent) {
      report.getDataDisk().setAbsent();
    }
    KJ_CASE_ONEOF(damaged, DiskDamaged) {
      report.getDataDisk().setDamaged(damaged.reason);
    }
  }
}

void writeReportWithoutBoot(rpc::BootReport::Builder report) {
  setKernel(report);
  report.setAgentVersion(BOTHY_VERSION);
  report.getDataDisk().setAbsent();
}

}  // namespace bothy
