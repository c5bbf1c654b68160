#pragma once

#include "bench/figures.h"

namespace bothy {

// What making and destroying a key costs in a keyring of very many, against one of few.
void measureKeys(kj::Vector<Row>& rows);

}  // namespace bothy
