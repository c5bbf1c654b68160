#pragma once

#include <kj/array.h>

namespace bothy {

// Fills it with bytes of the kernel's (getrandom(2)), which nobody can predict.
void fillRandom(kj::ArrayPtr<kj::byte> bytes);

}  // namespace bothy
