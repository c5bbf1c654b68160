#pragma once

#include <stdint.h>

#include "loop/child-process.h"

namespace bothy {

// What each of a machine's two programs may have at most, as far as bothyd may have it itself.
struct EmulatorLimits {
  uint64_t processes;  // of its user, each thread counted
  uint64_t files;
};
EmulatorLimits emulatorLimits();
ChildSpec::Confinement vsockDeviceConfinement();

}  // namespace bothy
