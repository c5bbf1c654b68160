// What tests of the driver have in common.
#pragma once

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "vm/machine-record.h"
#include "vm/testing/machine-bed.h"

namespace bothy {

// How often the driver told of each, and a promise for the next restoration of a vsock.
class Witness final: public VmDriver::Events {
public:
  void vsockLost(kj::StringPtr name) override { lost++; }
  void vsockRestored(kj::StringPtr name) override {
    restored++;
    if (fulfiller.get() != nullptr) fulfiller->fulfill();
  }
  void vsockNotRestored(kj::StringPtr name) override {}
  void diskFull(kj::StringPtr name) override { stalled++; }
  void diskFreed(kj::StringPtr name) override { freed++; }
  kj::Promise<void> onRestored() {
    auto paf = kj::newPromiseAndFulfiller<void>();
    fulfiller = kj::mv(paf.fulfiller);
    return kj::mv(paf.promise);
  }
  int lost = 0;
  int restored = 0;
  int stalled = 0;
  int freed = 0;

private:
  kj::Own<kj::PromiseFulfiller<void>> fulfiller;
};

// One test's use of the bed of the process.
struct Bed {
  MachineBed& bed = MachineBed::ofProcess();
  kj::WaitScope& scope = bed.io.waitScope;
  Witness& witness;

  // The driver's for good, as its listener must be.
  static Witness& freshWitness() {
    static Witness witness;
    witness = Witness();
    return witness;
  }

  Bed() : witness(freshWitness()) { bed.driver->setEvents(witness); }
  ~Bed() noexcept(false) { bed.removeMachines(); }

  template <typename T>
  T within(kj::Duration limit, kj::Promise<T> promise) {
    return bed.io.provider->getTimer().timeoutAfter(limit, kj::mv(promise)).wait(scope);
  }

  VmEnd endOf(RunningVm& vm) { return within(60 * kj::SECONDS, vm.onEnd()); }

  kj::Own<RunningVm> start(kj::StringPtr name, uint32_t number = 1) {
    return bed.driver->start(bed.spec(name, number)).wait(scope);
  }

  MachineRecord record(kj::StringPtr name) {
    return KJ_ASSERT_NONNULL(MachineRecord::load(bed.directory, name));
  }

  // Of libvirt's, below its root.
  kj::String libvirtPath(kj::StringPtr path) {
    return kj::str(bed.driverRuntimeDir(), "/libvirt/", path);
  }

  // Neither process nor file of the machine is left.
  void checkNothingLeft(kj::StringPtr name, uint32_t number = 1) {
    bool isClear = !std::filesystem::exists(bed.runtimeDir(name).cStr()) ||
                   std::filesystem::is_empty(bed.runtimeDir(name).cStr());
    CHECK(isClear);
    CHECK(MachineRecord::load(bed.directory, name) == nullptr);
    for (auto& entry :
         std::filesystem::recursive_directory_iterator(bed.driverRuntimeDir().cStr())) {
      CHECK(entry.path().filename().string().find(name.cStr()) == std::string::npos);
    }
    CHECK(std::filesystem::is_empty(libvirtPath("etc/secrets").cStr()));
    CHECK(processesOf(BED_FIRST_UID + number) == 0);
  }

  static int processesOf(uint32_t user) { return signalAll(user, 0); }

  // Sends a signal to all processes of a user; how many there were.
  static int signalAll(uint32_t user, int signum) {
    int count = 0;
    std::error_code error;  // a zombie has no program; whoever is PID 1 reaps it in its own time
    for (auto& entry : std::filesystem::directory_iterator("/proc")) {
      struct stat stats;
      pid_t pid = atoi(entry.path().filename().c_str());
      if (pid > 0 && stat(entry.path().c_str(), &stats) == 0 && stats.st_uid == user &&
          !std::filesystem::read_symlink(entry.path() / "exe", error).empty()) {
        kill(pid, signum);
        count++;
      }
    }
    return count;
  }
};

inline std::string slurp(kj::StringPtr path) {
  std::ifstream file(path.cStr());
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

#define NEEDS_ROOT() \
  if (getuid() != 0) SKIP("machines run as users of their own, which takes root")

}  // namespace bothy
