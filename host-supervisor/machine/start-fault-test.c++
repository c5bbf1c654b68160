#include "machine/start-fault.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("P30 a boot that fails is named after what ended it") {
  struct Case {
    VmEnd end;
    kj::StringPtr console;
    StartFault fault;
    kj::StringPtr words;
  };
  for (auto& c : {Case{VmEnd::EXITED, "", StartFault::VMM_EXITED, "QEMU ended"},
                  Case{VmEnd::POWERED_OFF, "", StartFault::OTHER, "turned itself off"},
                  Case{VmEnd::CRASHED, "", StartFault::KERNEL_PANIC, "panicked"},
                  Case{VmEnd::CRASHED, "x\nKernel panic - not syncing: No working init found.\ny",
                       StartFault::NO_INIT, "No working init found."},
                  Case{VmEnd::CRASHED, "[1] Kernel panic - not syncing: Attempted to kill init! 1",
                       StartFault::NO_INIT, "Attempted to kill init! 1"},
                  Case{VmEnd::REBOOTED, "Kernel panic - not syncing: VFS: Unable to mount root fs",
                       StartFault::NO_INIT, "Unable to mount root fs"},
                  Case{VmEnd::CRASHED, "Kernel panic - not syncing: Fatal exception",
                       StartFault::KERNEL_PANIC, "Fatal exception"},
                  Case{VmEnd::REBOOTED, "bye", StartFault::OTHER, "reboot"}}) {
    auto failure = failureOfBoot(c.end, c.console);
    INFO(failure.message.cStr());
    CHECK(failure.fault == c.fault);
    CHECK(strstr(failure.message.cStr(), c.words.cStr()) != nullptr);
  }
}

TEST_CASE("P30 a guest's endless panic line is cut") {
  auto console = kj::str("Kernel panic - not syncing: ", kj::repeat('x', 4000));
  CHECK(failureOfBoot(VmEnd::CRASHED, console).message.size() < 300);
}

}  // namespace
}  // namespace bothy
