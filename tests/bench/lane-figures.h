#pragma once

#include "bench/figures.h"
#include "support/test-workspace.h"

namespace bothy {

// What a client pays for a lane of its own, and bothyd and the agent for what flows over lanes.
void measureLanes(kj::Vector<Row>& rows, TestWorkspace& workspace);

}  // namespace bothy
