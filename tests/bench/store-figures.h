#pragma once

#include "bench/figures.h"

namespace bothy {

// Changes of state that the store takes in a second, from as many workspaces as wait at once.
void measureStore(kj::Vector<Row>& rows);

}  // namespace bothy
