#include "simulation/invariants.h"
#include "workspace/workspace-demand.h"

namespace bothy {

Demand Invariants::promised() {
  Demand sum;
  for (auto& entry : host.store.workspaces()) {
    auto& id = entry.key;
    sum = sum +
          demandOf(entry.value,
                   host.store.machine(id).map([](const MachineRow& m) { return m.clone(); }),
                   host.store.operation(id).map([](const OperationRow& o) { return o.clone(); }));
  }
  return sum;
}

// No more is promised than may be, over every kill (P53).
void Invariants::checkCapacity() {
  auto& most = host.capacity;
  auto sum = promised();
  if (sum.memoryMib > most.memoryMib || sum.cpus > most.cpus || sum.diskMib > most.diskMib) {
    host.judge.accuse("more is promised than the host may give: ", sum.memoryMib, " MiB, ",
                      sum.cpus, " processors, disks of ", sum.diskMib, " MiB");
  }
  uint64_t memoryMib = 0, cpus = 0;
  for (auto& entry : host.machines) {
    auto& machine = *entry.value;
    if (machine.phase() != SimulatedMachine::Phase::RUNS) continue;
    memoryMib += machine.spec.memoryBytes >> 20;
    cpus += machine.spec.cpus;
  }
  if (memoryMib > most.memoryMib || cpus > most.cpus) {
    host.judge.accuse("machines have more than the host may give: ", memoryMib, " MiB, ", cpus,
                      " processors");
  }
}

}  // namespace bothy
