#pragma once

#include "loop/child-process.h"

namespace bothy {

// What each of a machine's two programs may have at most, as far as bothyd may have it itself.
ChildSpec::Confinement machineConfinement();

}  // namespace bothy
