#pragma once

#include <kj/timer.h>

#include "loop/worker-thread.h"
#include "volume/memory-directory.h"
#include "volume/volume-directory.h"
#include "volume/volume-store.h"

namespace bothy {

// Volumes as files `ID.qcow2`, mode 0600, bothyd's or the user's of the machine that runs, in one directory (0711): qcow2 with LUKS
// inside, see README.md.  The passphrase is the key's hexadecimal digits, see hexadecimal().
//
// What blocks runs on a thread, one call after the other.  Dropping a promise is safe: a call that has begun runs to
// its end, and one that has not never begins.
class EncryptedVolumeStore final: public VolumeStore {
public:
  // `directory` is absolute; made if it is missing.  `code`: see MemoryDirectory.
  EncryptedVolumeStore(kj::Timer& timer, kj::StringPtr directory, MessageCode code);
  KJ_DISALLOW_COPY_AND_MOVE(EncryptedVolumeStore);

  kj::Promise<void> create(kj::StringPtr id, uint64_t bytes, Secret key) override;
  kj::Promise<void> give(kj::StringPtr id, uint32_t uid) override;
  kj::Promise<void> reclaim(kj::StringPtr id) override;
  kj::Promise<void> grow(kj::StringPtr id, uint64_t bytes) override;
  kj::Promise<void> check(kj::StringPtr id, uint64_t bytes) override;
  kj::Promise<void> requireRoom() override;
  kj::Promise<uint64_t> freeBytes() override;
  kj::Promise<void> destroy(kj::StringPtr id) override;
  kj::Promise<void> createMemory(kj::StringPtr id, uint64_t bytes, Secret key) override;
  kj::Promise<uint64_t> sealMemory(kj::StringPtr id, uint64_t generation, Secret key) override;
  kj::Promise<void> checkMemory(kj::StringPtr id, uint64_t generation, Secret key) override;
  kj::Promise<void> destroyMemory(kj::StringPtr id) override;
  kj::String memoryPath(kj::StringPtr id) override;
  kj::String path(kj::StringPtr id) override;
  kj::Promise<kj::Array<Listed>> list() override;

private:
  // Both shared with the calls: one that hangs may outlive the store.
  kj::Own<VolumeDirectory> directory;
  kj::Own<MemoryDirectory> memories;
  WorkerThread worker;
};

// A call that has not ended by then fails with OVERLOADED, though it may still end.
constexpr kj::Duration VOLUME_CALL_LIMIT = 45 * kj::SECONDS;

}  // namespace bothy
