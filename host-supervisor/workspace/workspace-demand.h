#pragma once

#include "capacity/host-capacity.h"
#include "store/records.h"

namespace bothy {

// What a workspace takes of its host, by its rows: memory and processors from the moment on at which its start is stored until nothing
// is left of its machine, and its disk for as long as it exists.
Demand demandOf(const WorkspaceRow& row, const kj::Maybe<MachineRow>& machine,
                const kj::Maybe<OperationRow>& operation);

}  // namespace bothy
