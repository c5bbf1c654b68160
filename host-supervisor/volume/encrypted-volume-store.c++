#include "volume/encrypted-volume-store.h"

namespace bothy {

EncryptedVolumeStore::EncryptedVolumeStore(kj::Timer& timer, kj::StringPtr directory,
                                           MessageCode code)
    : directory(kj::atomicRefcounted<VolumeDirectory>(directory)),
      memories(kj::atomicRefcounted<MemoryDirectory>(kj::atomicAddRef(*this->directory), code)),
      worker(timer, "the disk of volumes") {}

kj::Promise<void> EncryptedVolumeStore::create(kj::StringPtr id, uint64_t bytes, Secret key) {
  return worker.run(kj::str("create ", id), VOLUME_CALL_LIMIT,
                    [directory = kj::atomicAddRef(*directory), id = kj::heapString(id), bytes,
                     key = kj::mv(key)]() { directory->create(id, bytes, key); });
}

kj::Promise<void> EncryptedVolumeStore::give(kj::StringPtr id, uint32_t uid) {
  return worker.run(kj::str("give ", id), VOLUME_CALL_LIMIT,
                    [directory = kj::atomicAddRef(*directory), id = kj::heapString(id), uid]() {
                      directory->give(id, uid);
                    });
}

kj::Promise<void> EncryptedVolumeStore::reclaim(kj::StringPtr id) {
  return worker.run(kj::str("reclaim ", id), VOLUME_CALL_LIMIT,
                    [directory = kj::atomicAddRef(*directory), id = kj::heapString(id)]() {
                      directory->reclaim(id);
                    });
}

kj::Promise<void> EncryptedVolumeStore::grow(kj::StringPtr id, uint64_t bytes) {
  return worker.run(kj::str("grow ", id), VOLUME_CALL_LIMIT,
                    [directory = kj::atomicAddRef(*directory), id = kj::heapString(id), bytes]() {
                      directory->grow(id, bytes);
                    });
}

kj::Promise<void> EncryptedVolumeStore::check(kj::StringPtr id, uint64_t bytes) {
  return worker.run(kj::str("check ", id), VOLUME_CALL_LIMIT,
                    [directory = kj::atomicAddRef(*directory), id = kj::heapString(id), bytes]() {
                      directory->check(id, bytes);
                    });
}

kj::Promise<void> EncryptedVolumeStore::requireRoom() {
  return worker.run("look for room", VOLUME_CALL_LIMIT,
                    [directory = kj::atomicAddRef(*directory)]() { directory->requireRoom(); });
}

kj::Promise<uint64_t> EncryptedVolumeStore::freeBytes() {
  return worker.run(
      "look what is free", VOLUME_CALL_LIMIT,
      [directory = kj::atomicAddRef(*directory)]() { return directory->freeBytes(); });
}

kj::Promise<void> EncryptedVolumeStore::destroy(kj::StringPtr id) {
  return worker.run(kj::str("destroy ", id), VOLUME_CALL_LIMIT,
                    [directory = kj::atomicAddRef(*directory),
                     memories = kj::atomicAddRef(*memories), id = kj::heapString(id)]() {
                      memories->destroy(id);
                      directory->destroy(id);
                    });
}

kj::Promise<void> EncryptedVolumeStore::createMemory(kj::StringPtr id, uint64_t bytes, Secret key) {
  return worker.run(kj::str("make room for the memory of ", id), VOLUME_CALL_LIMIT,
                    [memories = kj::atomicAddRef(*memories), id = kj::heapString(id), bytes,
                     key = kj::mv(key)]() { memories->create(id, bytes, key); });
}

kj::Promise<uint64_t> EncryptedVolumeStore::sealMemory(kj::StringPtr id, uint64_t generation,
                                                       Secret key) {
  return worker.run(kj::str("seal the memory of ", id), VOLUME_CALL_LIMIT,
                    [memories = kj::atomicAddRef(*memories), id = kj::heapString(id), generation,
                     key = kj::mv(key)]() { return memories->seal(id, generation, key); });
}

kj::Promise<void> EncryptedVolumeStore::checkMemory(kj::StringPtr id, uint64_t generation,
                                                    Secret key) {
  return worker.run(kj::str("check the memory of ", id), VOLUME_CALL_LIMIT,
                    [memories = kj::atomicAddRef(*memories), id = kj::heapString(id), generation,
                     key = kj::mv(key)]() { memories->check(id, generation, key); });
}

kj::Promise<void> EncryptedVolumeStore::destroyMemory(kj::StringPtr id) {
  return worker.run(kj::str("destroy the memory of ", id), VOLUME_CALL_LIMIT,
                    [memories = kj::atomicAddRef(*memories), id = kj::heapString(id)]() {
                      memories->destroy(id);
                    });
}

kj::String EncryptedVolumeStore::memoryPath(kj::StringPtr id) {
  return memories->pathOf(id);
}

kj::String EncryptedVolumeStore::path(kj::StringPtr id) {
  return directory->pathOf(id);
}

kj::Promise<kj::Array<VolumeStore::Listed>> EncryptedVolumeStore::list() {
  return worker.run("list", VOLUME_CALL_LIMIT,
                    [directory = kj::atomicAddRef(*directory)]() { return directory->list(); });
}

}  // namespace bothy
