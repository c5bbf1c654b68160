#include "vm/machine-consumption.h"

#include <kj/debug.h>
#include <kj/exception.h>

namespace bothy {
namespace {

// Of a pid: Linux has no more.
constexpr uint32_t PID_BITS = 22;
// Machines that have ended, and nobody has asked what they took: the oldest give way.
constexpr size_t MOST_ENDED = 4096;

}  // namespace

uint64_t MachineConsumption::nameOf(const ProcessIdentity& qemu) {
  return qemu.startTime << PID_BITS | static_cast<uint64_t>(qemu.pid);
}

MachineConsumption::MachineConsumption(MachineProcesses& processes, const ProcessIdentity& qemu)
    : name(nameOf(qemu)), time(processes.processorTime(qemu)) {}

void MachineConsumption::note(kj::StringPtr machine) {
  auto failure = kj::runCatchingExceptions(
      [&]() { taken = kj::max(taken, time->taken().orDefault(0 * kj::SECONDS)); });
  KJ_IF_MAYBE (e, failure) {
    KJ_LOG(WARNING, "what a machine has taken is not known", machine, e->getDescription());
  }
}

void MachineConsumption::tell(kj::StringPtr machine, kj::Vector<VmConsumption>& ended) {
  note(machine);
  if (taken == 0 * kj::SECONDS) return;
  if (ended.size() >= MOST_ENDED) {
    kj::Vector<VmConsumption> newer(ended.size());
    for (size_t i = 1; i < ended.size(); i++) newer.add(kj::mv(ended[i]));
    ended = kj::mv(newer);
  }
  ended.add(VmConsumption{kj::str(machine), name, static_cast<uint64_t>(taken / kj::NANOSECONDS)});
}

}  // namespace bothy
