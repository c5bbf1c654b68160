#pragma once

#include <kj/async.h>
#include <kj/common.h>
#include <kj/string.h>

namespace bothy {

// The disks of workspaces.  A volume is named by the workspace's id; making, growing and destroying it
// are idempotent, so that each may be done again after a kill.
class VolumeStore {
public:
  // Makes a volume of exactly `bytes` (a multiple of 1 MiB), all zero, for the sole use of `uid`.
  // An existing one of the same name is replaced: it is a remnant.  Fails with OVERLOADED if the host's
  // disk cannot hold it, leaving nothing.
  virtual kj::Promise<void> create(kj::StringPtr id, uint64_t bytes, uint32_t uid) = 0;

  // Destroys it for good.  One that does not exist is success.
  virtual kj::Promise<void> destroy(kj::StringPtr id) = 0;

  // Where a VM finds it: a raw image.
  virtual kj::String path(kj::StringPtr id) = 0;

  // Removes every volume whose id is not in `known`; returns their ids.
  virtual kj::Promise<kj::Array<kj::String>> removeStrays(
      kj::ArrayPtr<const kj::StringPtr> known) = 0;
};

}  // namespace bothy
