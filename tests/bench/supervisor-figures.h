#pragma once

#include "bench/figures.h"

namespace bothy {

// A supervisor that has much: look-up and list among 10,000 workspaces, and how soon it is back with ten
// machines that run.
void measureSupervisor(kj::Vector<Row>& rows);

}  // namespace bothy
