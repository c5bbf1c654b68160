#pragma once

#include <kj/string.h>

#include "vm/vm-driver.h"

namespace bothy {

// For people: "the machine ...".
kj::StringPtr describe(VmEnd end);

}  // namespace bothy
