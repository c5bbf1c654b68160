#include "vm/memory-format.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("memory is of an emulator, a machine and a processor, which under KVM is the host's") {
  CHECK(memoryFormat("QEMU emulator version 10.0.2", false) ==
        "QEMU emulator version 10.0.2, q35 with a balloon, emulated processor");
  auto ofHost = memoryFormat("QEMU emulator version 10.0.2", true);
  CHECK(ofHost.startsWith("QEMU emulator version 10.0.2, q35 with a balloon, "));
  CHECK(ofHost == memoryFormat("QEMU emulator version 10.0.2", true));
  CHECK(ofHost != memoryFormat("QEMU emulator version 10.0.3", true));
}

}  // namespace
}  // namespace bothy
