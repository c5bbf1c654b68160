#include "workspace/workspace-demand.h"

#include "workspace/operations/create-operation.h"
#include "workspace/operations/start-operation.h"

namespace bothy {
namespace {

// Whether it is on its way to a machine with the figures of its row.
bool becomesMachine(const WorkspaceRow& row, const kj::Maybe<MachineRow>& machine,
                    const kj::Maybe<OperationRow>& operation) {
  KJ_IF_MAYBE (o, operation) {
    if (operationKind(o->kind) == OperationKind::WAKE) return true;
    switch (stateOf(row, operation)) {
      case WorkspaceState::CREATING:
        return CreateOperation::startsIt(*o);
      case WorkspaceState::STARTING:
        // A guest that reboots keeps what its machine has.
        return machine == nullptr || !StartOperation::isOfReboot(*o);
      default:
        break;
    }
  }
  return false;
}

// That a growth is to end with; 0 where there is none.
uint64_t grownMib(const WorkspaceRow& row, const kj::Maybe<OperationRow>& operation) {
  KJ_IF_MAYBE (o, operation) {
    if (stateOf(row, operation) == WorkspaceState::RESIZING) {
      return o->parameters.tryParseAs<uint32_t>().orDefault(0);
    }
  }
  return 0;
}

}  // namespace

Demand demandOf(const WorkspaceRow& row, const kj::Maybe<MachineRow>& machine,
                const kj::Maybe<OperationRow>& operation) {
  Demand demand{0, 0, kj::max(uint64_t{row.promisedDiskMib()}, grownMib(row, operation))};
  // It has none any more, unless that is just being destroyed.
  if (row.rest == Rest::EXPIRED && stateOf(row, operation) != WorkspaceState::EXPIRING) {
    demand.diskMib = 0;
  }
  KJ_IF_MAYBE (m, machine) {
    demand.memoryMib = m->memoryMib;
    demand.cpus = m->cpus;
  }
  if (becomesMachine(row, machine, operation)) {
    demand = most(demand, {row.memoryMib, row.cpus, 0});
    demand = most(demand, {row.sleep.memoryMib, row.sleep.cpus, 0});
  }
  return demand;
}

}  // namespace bothy
