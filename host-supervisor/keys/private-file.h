#pragma once

#include <kj/string.h>

#include "secret/secret.h"

namespace bothy {

// Reads a file that holds a secret: a regular file of 1..maxBytes bytes, mode 0600 or 0400, that belongs to
// root or to the caller.  Refuses every other, naming it and what is wrong.
Secret readPrivateFile(kj::StringPtr path, size_t maxBytes);

// Makes a key file of KEY_BYTES random bytes, 0600, if there is no file: complete and durable, or not at all.
void createKeyFile(kj::StringPtr path);

}  // namespace bothy
