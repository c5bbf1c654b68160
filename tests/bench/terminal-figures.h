#pragma once

#include "bench/figures.h"
#include "support/test-workspace.h"

namespace bothy {

// What it takes to come to a terminal, what one says in a second, and what the agent keeps of one.
void measureTerminals(kj::Vector<Row>& rows, TestWorkspace& workspace);

}  // namespace bothy
