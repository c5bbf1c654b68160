#pragma once

#include "workspace/operations/site.h"

namespace bothy {

// The operation whose row this is.  Fails if there is no such kind, or the kind does not know such parameters.
kj::Own<Operation> operationOf(const Site& site, const OperationRow& row);

// That of the workspace, which has one.
kj::Own<Operation> storedOperation(const Site& site);

}  // namespace bothy
