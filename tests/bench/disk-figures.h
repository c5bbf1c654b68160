#pragma once

#include "bench/figures.h"

namespace bothy {

// What encryption costs: QEMU's qemu-io on a workspace's volume, against the same on a qcow2 image without it; and
// what the making of a volume takes beyond that of a plain file.
void measureDisks(kj::Vector<Row>& rows);

}  // namespace bothy
