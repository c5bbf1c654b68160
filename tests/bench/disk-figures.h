#pragma once

#include "bench/figures.h"

namespace bothy {

// What encryption costs: QEMU's qemu-io on a workspace's volume, against the same on a qcow2 image without it;
// what the making of a volume takes beyond that of a plain file; and what the host's own disk takes for a flush.
void measureDisks(kj::Vector<Row>& rows);

}  // namespace bothy
