#pragma once

#include <kj/array.h>

#include "secret/secret.h"

namespace bothy {

constexpr size_t MESSAGE_CODE_BYTES = 32;

// Writes the HMAC-SHA256 of `message` to `code`, which has MESSAGE_CODE_BYTES.  Any thread.
void messageCode(kj::ArrayPtr<const kj::byte> message, const Secret& key,
                 kj::ArrayPtr<kj::byte> code);

}  // namespace bothy
