#pragma once

#include <kj/map.h>

#include "volume/volume-store.h"

namespace bothy {

// Volumes that exist in memory only, with a test in the place of fate.
class FakeVolumeStore final: public VolumeStore {
public:
  FakeVolumeStore() = default;
  KJ_DISALLOW_COPY_AND_MOVE(FakeVolumeStore);

  // Every call fails, before there is a promise.
  bool throwsAtOnce = false;
  // Nothing can be made, grown or written any more.
  bool isFull = false;
  // What is free, as freeBytes() has it.
  uint64_t free = 1ull << 40;
  // Nobody learns that.
  bool hidesFree = false;
  // The next calls of destroy() that fail.
  uint32_t failuresToDestroy = 0;
  // Growth is carried out, and reported as one that took too long.
  bool growsTooLate = false;
  // THROWS: before there is a promise, as a queue of jobs does that is full.
  enum class Listing { WORKS, FAILS, THROWS };
  Listing listing = Listing::WORKS;
  // The next calls of reclaim() that fail.
  uint32_t failuresToReclaim = 0;
  // Every call of reclaim() of this volume fails.
  kj::String unreclaimable;

  // What sleeps have left, by the workspace's id; 0: it is not sealed.
  kj::TreeMap<kj::String, uint64_t> memories;

  size_t count() const { return volumes.size(); }
  // 0: there is none.
  uint64_t bytes(kj::StringPtr id);
  // 0: root's.
  uint32_t owner(kj::StringPtr id) { return find(id).uid; }
  // Whether `key` opens it.
  bool opensWith(kj::StringPtr id, const Secret& key);

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
  kj::String memoryPath(kj::StringPtr id) override { return kj::str("/memory/", id); }
  kj::String path(kj::StringPtr id) override { return kj::str("/volumes/", id); }
  kj::Promise<kj::Array<Listed>> list() override;

private:
  struct Volume {
    uint64_t bytes;
    Secret key;
    uint32_t uid = 0;
  };
  kj::TreeMap<kj::String, Volume> volumes;

  Volume& find(kj::StringPtr id);
  void mayThrow() const;
};

}  // namespace bothy
