#pragma once

#include <kj/string.h>

namespace bothy {

constexpr size_t MAX_KEY_ID_BYTES = 63;

// [a-z0-9-], 1..MAX_KEY_ID_BYTES.
bool isKeyId(kj::StringPtr id);

// Throws FAILED for what is no id, naming it.
void requireKeyId(kj::StringPtr id);

}  // namespace bothy
