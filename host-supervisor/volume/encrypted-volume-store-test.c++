#include "volume/encrypted-volume-store.h"

#include <kj/async-io.h>
#include <kj/vector.h>

#include "volume/test-volumes.h"

namespace bothy {
namespace {

struct StoreWorld {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::WaitScope& scope = io.waitScope;
  TestDirectory directory;
  kj::Own<EncryptedVolumeStore> store =
      kj::heap<EncryptedVolumeStore>(io.provider->getTimer(), directory.at("volumes"), testCode);

  kj::Promise<void> create(uint64_t bytes = MEBIBYTE) {
    return store->create(ID, bytes, testKey());
  }
};

TEST_CASE("a volume is made, checked, grown, listed and destroyed beside the event loop") {
  StoreWorld world;
  auto creation = world.create();
  CHECK_FALSE(creation.poll(world.scope));
  creation.wait(world.scope);
  world.store->check(ID, MEBIBYTE).wait(world.scope);
  world.store->grow(ID, 2 * MEBIBYTE).wait(world.scope);
  world.store->check(ID, 2 * MEBIBYTE).wait(world.scope);
  auto listed = world.store->list().wait(world.scope);
  REQUIRE(listed.size() == 1);
  CHECK(listed[0].id == ID);
  CHECK(world.store->path(ID) == world.directory.at(FINISHED));
  world.store->destroy(ID).wait(world.scope);
  CHECK(world.store->list().wait(world.scope).size() == 0);
}

TEST_CASE("calls need nothing of the caller's after they returned") {
  StoreWorld world;
  kj::Vector<kj::Promise<void>> calls;
  {
    auto id = kj::heapString(ID);
    calls.add(world.store->create(id, MEBIBYTE, testKey()));
    calls.add(world.store->grow(id, 2 * MEBIBYTE));
    calls.add(world.store->check(id, 2 * MEBIBYTE));
    calls.add(world.store->destroy(id));
    memset(id.begin(), 'x', id.size());
  }
  for (auto& call : calls) call.wait(world.scope);
  CHECK(world.directory.count() == 1);
}

TEST_CASE("P28 a creation that is dropped leaves nothing that destroying does not find") {
  for (kj::StringPtr sight : {""_kj, UNFINISHED, FINISHED}) {
    StoreWorld world;
    {
      auto dropped = world.create();
      while (!world.directory.has(sight) && !dropped.poll(world.scope)) {
      }
    }
    world.store->destroy(ID).wait(world.scope);
    CHECK(world.directory.count() == 1);
  }
}

TEST_CASE("a store that goes while a creation runs leaves a volume or nothing") {
  StoreWorld world;
  auto creation = world.create();
  world.store = nullptr;
  auto volumes = kj::atomicRefcounted<VolumeDirectory>(world.directory.at("volumes"));
  if (world.directory.count() > 1) volumes->check(ID, MEBIBYTE);
}

TEST_CASE("failures reach the caller as they are") {
  StoreWorld world;
  CHECK_THROWS(world.create(MEBIBYTE + 1).wait(world.scope));
  auto missing = failureOf([&]() { world.store->check(ID, MEBIBYTE).wait(world.scope); });
  CHECK(missing.getType() == kj::Exception::Type::FAILED);
  CHECK(says(missing, "does not exist"));
  CHECK_THROWS(world.store->path("../etc/passwd"));
}

}  // namespace
}  // namespace bothy
