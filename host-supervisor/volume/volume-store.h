#pragma once

#include <stdint.h>

#include <kj/async.h>
#include <kj/common.h>
#include <kj/string.h>

#include "secret/secret.h"

namespace bothy {

// A volume that is made with at most so much grows no further.
constexpr uint64_t MAX_GROWN_VOLUME_BYTES = 4ull << 40;

// The encrypted disks of workspaces.  A volume is named by the workspace's id; making, growing and
// destroying it are idempotent, so that each may be done again after a kill.  Calls are carried out one after
// the other; one that took too long for its caller may still be.
class VolumeStore {
public:
  // Makes a volume of exactly `bytes` (a multiple of 1 MiB) as the guest sees it, all zero, which is bothyd's, and which whoever has `key`
  // can open.  An existing one of the same name is replaced: it is a remnant.  Fails with OVERLOADED if the host's disk cannot hold
  // it, leaving nothing.
  virtual kj::Promise<void> create(kj::StringPtr id, uint64_t bytes, Secret key) = 0;

  // Gives it to the user of a machine that is about to start, who can open it from then on, and nobody else but root.  Fails unless it is
  // whole.
  virtual kj::Promise<void> give(kj::StringPtr id, uint32_t uid) = 0;

  // Takes it back, durably, from a machine of which no process is left: whoever has the same user id later cannot open it.
  // Whatever is in it, and one that does not exist, is success.
  virtual kj::Promise<void> reclaim(kj::StringPtr id) = 0;

  // Makes an existing volume that no machine uses `bytes` large, see MAX_GROWN_VOLUME_BYTES; it never shrinks: one
  // that is larger stays as it is.  Fails with OVERLOADED if the host's disk cannot hold it, and then, as after any other
  // failure, the volume is as it was.
  virtual kj::Promise<void> grow(kj::StringPtr id, uint64_t bytes) = 0;

  // Fails, with what is wrong for people, unless the volume is whole, is `bytes` large and names no other file of
  // the host.  To be called before each start: the machine that had it last may have been taken over by its
  // guest, and its QEMU could write all of it (S15).
  virtual kj::Promise<void> check(kj::StringPtr id, uint64_t bytes) = 0;

  // Fails with OVERLOADED, for people, where the host's disk is so full that nothing should be begun that writes to
  // it.  To be called before each creation and each start.
  virtual kj::Promise<void> requireRoom() = 0;

  // How much of the host's disk is free, for whoever is not root.
  virtual kj::Promise<uint64_t> freeBytes() = 0;

  // Destroys it for good: first what opens it (header and key slots), then the data, then the name.  One
  // that does not exist is success.
  virtual kj::Promise<void> destroy(kj::StringPtr id) = 0;

  // What a machine's memory is written to while it sleeps: one file of a workspace at most, for `bytes` of memory and the states of
  // devices, which whoever has `key` can open, and with its room on the host's disk.  An earlier one is destroyed.  Fails with OVERLOADED,
  // for people and with the figures, if the host's disk cannot hold it, leaving nothing.
  virtual kj::Promise<void> createMemory(kj::StringPtr id, uint64_t bytes, Secret key) = 0;
  // It has all, durably: from now on it belongs to the disk as that is, by a number that is on both.  How many bytes it takes.
  virtual kj::Promise<uint64_t> sealMemory(kj::StringPtr id, uint64_t generation, Secret key) = 0;
  // Fails, with what is wrong for people, unless both are there and have this number.
  virtual kj::Promise<void> checkMemory(kj::StringPtr id, uint64_t generation, Secret key) = 0;
  // For good.  One that does not exist is success.  destroy() does it too.
  virtual kj::Promise<void> destroyMemory(kj::StringPtr id) = 0;
  virtual kj::String memoryPath(kj::StringPtr id) = 0;

  // Where a VM finds it.  See the implementation for the format.
  virtual kj::String path(kj::StringPtr id) = 0;

  struct Listed {
    kj::String id;
    // Who can open it besides root: it was given to this user, and not taken back.
    kj::Maybe<uint32_t> user;
  };
  // All volumes, unfinished ones too, in no order.
  virtual kj::Promise<kj::Array<Listed>> list() = 0;
};

}  // namespace bothy
