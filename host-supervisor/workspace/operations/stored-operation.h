#pragma once

#include "workspace/operations/site.h"

namespace bothy {

// The operation whose row this is.  Fails if there is no such kind, or if it is a resize and its parameters are no size.
kj::Own<Operation> operationOf(const Site& site, const OperationRow& row);

// That of the workspace, which has one.
kj::Own<Operation> storedOperation(const Site& site);

}  // namespace bothy
