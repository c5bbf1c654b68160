#include "support/fake-volume-store.h"

#include <kj/debug.h>
#include <kj/vector.h>

namespace bothy {

FakeVolumeStore::Volume& FakeVolumeStore::find(kj::StringPtr id) {
  return KJ_REQUIRE_NONNULL(volumes.find(id), "no such volume", id);
}

void FakeVolumeStore::mayThrow() const {
  if (throwsAtOnce) {
    kj::throwFatalException(KJ_EXCEPTION(OVERLOADED, "too many jobs wait for the disks"));
  }
}

uint64_t FakeVolumeStore::bytes(kj::StringPtr id) {
  KJ_IF_MAYBE (volume, volumes.find(id)) {
    return volume->bytes;
  }
  return 0;
}

bool FakeVolumeStore::opensWith(kj::StringPtr id, const Secret& key) {
  return find(id).key.bytes() == key.bytes();
}

kj::Promise<void> FakeVolumeStore::create(kj::StringPtr id, uint64_t bytes, Secret key) {
  mayThrow();
  if (isFull) return KJ_EXCEPTION(OVERLOADED, "the disk is full");
  volumes.erase(id);
  volumes.insert(kj::str(id), Volume{bytes, kj::mv(key)});
  return kj::READY_NOW;
}

kj::Promise<void> FakeVolumeStore::give(kj::StringPtr id, uint32_t uid) {
  mayThrow();
  find(id).uid = uid;
  return kj::READY_NOW;
}

kj::Promise<void> FakeVolumeStore::reclaim(kj::StringPtr id) {
  mayThrow();
  if (failuresToReclaim > 0) {
    failuresToReclaim--;
    return KJ_EXCEPTION(FAILED, "the disk does not obey");
  }
  if (id == unreclaimable) return KJ_EXCEPTION(FAILED, "the disk does not obey");
  KJ_IF_MAYBE (volume, volumes.find(id)) volume->uid = 0;
  return kj::READY_NOW;
}

kj::Promise<void> FakeVolumeStore::grow(kj::StringPtr id, uint64_t bytes) {
  mayThrow();
  auto& volume = find(id);
  if (isFull) return KJ_EXCEPTION(OVERLOADED, "the disk is full");
  volume.bytes = kj::max(volume.bytes, bytes);
  if (growsTooLate) return KJ_EXCEPTION(OVERLOADED, "the disk is slow");
  return kj::READY_NOW;
}

kj::Promise<void> FakeVolumeStore::check(kj::StringPtr id, uint64_t bytes) {
  mayThrow();
  KJ_REQUIRE(find(id).bytes == bytes, "the volume has another size", id, bytes);
  return kj::READY_NOW;
}

kj::Promise<void> FakeVolumeStore::requireRoom() {
  mayThrow();
  if (isFull) return KJ_EXCEPTION(OVERLOADED, "the disk is full");
  return kj::READY_NOW;
}

kj::Promise<uint64_t> FakeVolumeStore::freeBytes() {
  mayThrow();
  if (hidesFree) return kj::NEVER_DONE;
  return free;
}

kj::Promise<void> FakeVolumeStore::destroy(kj::StringPtr id) {
  mayThrow();
  if (failuresToDestroy > 0) {
    failuresToDestroy--;
    return KJ_EXCEPTION(FAILED, "the disk does not obey");
  }
  volumes.erase(id);
  memories.erase(id);
  return kj::READY_NOW;
}

kj::Promise<void> FakeVolumeStore::createMemory(kj::StringPtr id, uint64_t, Secret) {
  mayThrow();
  if (isFull) return KJ_EXCEPTION(OVERLOADED, "the disk is full");
  memories.upsert(kj::str(id), 0);
  return kj::READY_NOW;
}

kj::Promise<uint64_t> FakeVolumeStore::sealMemory(kj::StringPtr id, uint64_t generation, Secret) {
  mayThrow();
  KJ_REQUIRE_NONNULL(memories.find(id), "there is no memory", id) = generation;
  return uint64_t{20} << 20;
}

kj::Promise<void> FakeVolumeStore::checkMemory(kj::StringPtr id, uint64_t generation, Secret) {
  mayThrow();
  KJ_IF_MAYBE (found, memories.find(id)) {
    if (*found == generation) return kj::READY_NOW;
  }
  return KJ_EXCEPTION(FAILED, "the memory is of another sleep");
}

kj::Promise<void> FakeVolumeStore::destroyMemory(kj::StringPtr id) {
  mayThrow();
  memories.erase(id);
  return kj::READY_NOW;
}

kj::Promise<kj::Array<VolumeStore::Listed>> FakeVolumeStore::list() {
  mayThrow();
  if (listing == Listing::FAILS) return KJ_EXCEPTION(FAILED, "the directory cannot be read");
  if (listing == Listing::THROWS) {
    kj::throwFatalException(KJ_EXCEPTION(OVERLOADED, "too many jobs wait for the disks"));
  }
  kj::Vector<Listed> listed;
  for (auto& entry : volumes) {
    kj::Maybe<uint32_t> user;
    if (entry.value.uid != 0) user = entry.value.uid;
    listed.add(Listed{kj::str(entry.key), user});
  }
  return listed.releaseAsArray();
}

}  // namespace bothy
