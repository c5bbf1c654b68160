#pragma once

#include "bench/figures.h"
#include "support/supervised-host.h"

namespace bothy {

// Pauses and hibernations, and the ways back to a terminal, by how much memory is filled.
void measureSleep(kj::Vector<Row>& rows, SupervisedHost& host);

}  // namespace bothy
