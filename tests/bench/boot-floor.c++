#include "bench/boot-floor.h"

#include <string.h>

#include "bench/figures.h"
#include "bench/floor-machine.h"

namespace bothy {

namespace {
constexpr kj::Duration BOOT_LIMIT = 60 * kj::SECONDS;
}

double bootFloorMillis(kj::StringPtr directory, uint32_t memoryMib) {
  auto initramfs = makeFloorInitramfs(directory, BOTHY_FLOOR_INIT ""_kj);
  kj::Own<FloorMachine> machine;
  return milliseconds([&]() {
    machine = kj::heap<FloorMachine>(initramfs, memoryMib, BOOT_LIMIT);
    while (strstr(machine->readLine().cStr(), "floor") == nullptr) {
    }
  });
}

}  // namespace bothy
