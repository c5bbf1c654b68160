#pragma once

#include "bench/figures.h"

namespace bothy {

// What it costs to meter many machines that run, and what happens to workspaces.
void measureMetering(kj::Vector<Row>& rows);

}  // namespace bothy
