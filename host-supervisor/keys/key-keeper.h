#pragma once

#include <kj/async.h>
#include <kj/string.h>

#include "secret/secret.h"

namespace bothy {

// The key of a workspace: random, AES-256's size.
constexpr size_t KEY_BYTES = 32;

// Keeps one key for each workspace, wrapped under what only the keeper knows.  A key is named by the
// workspace's id ([a-z0-9-], 1..63 bytes).  When a promise resolves, what it did is on the disk; when it
// fails, nothing has changed, but where a call took too long (OVERLOADED) or its promise was dropped: then
// it may be done later, before any change that is asked for after it; and where taking back failed too
// (README.md, Order).  create() and destroy() are idempotent,
// so that each may be done again after a kill.
class KeyKeeper {
public:
  // Makes a new random key.  One of the same id is replaced: it is a remnant of a creation that never
  // ended.
  virtual kj::Promise<void> create(kj::StringPtr id) = 0;

  // The key, KEY_BYTES long.  Fails with FAILED, naming the id, if there is none.
  virtual kj::Promise<Secret> open(kj::StringPtr id) = 0;

  // Destroys it for good: no copy of what the keeper ever wrote opens it under what the keeper knows from
  // now on.  One that does not exist is success.
  virtual kj::Promise<void> destroy(kj::StringPtr id) = 0;

  // The ids of all keys, in no order.
  virtual kj::Promise<kj::Array<kj::String>> list() = 0;
};

}  // namespace bothy
