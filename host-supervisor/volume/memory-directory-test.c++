#include "volume/memory-directory.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>

#include "support/host-program.h"
#include "volume/luks-header.h"
#include "volume/memory-seal.h"
#include "volume/test-volumes.h"

namespace bothy {
namespace {

namespace stdfs = std::filesystem;

constexpr kj::StringPtr MEMORY = "volumes/0123456789abcdef0123456789abcdef.memory"_kj;

struct MemoryWorld: public VolumeWorld {
  kj::Own<MemoryDirectory> memories =
      kj::atomicRefcounted<MemoryDirectory>(kj::atomicAddRef(*volumes), testCode);

  MemoryWorld() {
    create();
    memories->create(ID, 8 * MEBIBYTE, testKey());
  }
  kj::String fault(uint64_t generation, uint8_t seed = 1) {
    return kj::str(
        failureOf([&]() { memories->check(ID, generation, testKey(seed)); }).getDescription());
  }
  void copy(kj::StringPtr from, kj::StringPtr to) {
    stdfs::copy_file(directory.at(from).cStr(), directory.at(to).cStr(),
                     stdfs::copy_options::overwrite_existing);
  }
};

TEST_CASE(
    "memory has its room before it is written, is opened by the key's digits, and gives back the "
    "rest") {
  MemoryWorld world;
  CHECK(world.memories->pathOf(ID) == world.directory.at(MEMORY));
  auto status = world.directory.status(MEMORY);
  CHECK((status.st_mode & 07777) == 0600);
  CHECK(status.st_size == 10 * MEBIBYTE);
  const uint64_t reserved = status.st_blocks * 512;
  CHECK(reserved >= 10 * MEBIBYTE);

  auto digits = hexadecimal(testKey());
  world.directory.write("key", kj::heapString(digits.bytes().asChars()));
  auto secret = kj::str("secret,id=k,file=", world.directory.at("key"));
  auto image = kj::str("driver=luks,key-secret=k,file.filename=", world.directory.at(MEMORY));
  auto done = runProgram(
      {"qemu-io", "--object", secret, "-c", "write -P 0x5a 0 1M", "--image-opts", image});
  INFO(done.err.cStr());
  CHECK(done.status == 0);

  const auto bytes = world.memories->seal(ID, 7, testKey());
  CHECK(bytes >= MEBIBYTE);
  CHECK(bytes < 2 * MEBIBYTE);
  status = world.directory.status(MEMORY);
  CHECK(status.st_size == 10 * MEBIBYTE);
  CHECK(uint64_t(status.st_blocks) * 512 < 4 * MEBIBYTE);
  world.memories->check(ID, 7, testKey());
  done =
      runProgram({"qemu-io", "--object", secret, "-c", "read -P 0x5a 0 1M", "--image-opts", image});
  CHECK(done.status == 0);
  world.volumes->check(ID, 64 * MEBIBYTE);
}

TEST_CASE("S43 memory and disk that are not of one sleep are refused, and so is an old pair") {
  MemoryWorld world;
  CHECK(says(world.fault(1), "has no seal of a sleep"));
  world.memories->seal(ID, 1, testKey());
  world.copy(MEMORY, "old-memory");
  world.copy(FINISHED, "old-disk");
  world.memories->create(ID, 8 * MEBIBYTE, testKey());
  CHECK(says(world.fault(1), "has no seal of a sleep"));
  world.memories->seal(ID, 2, testKey());
  world.memories->check(ID, 2, testKey());
  world.copy(MEMORY, "new-memory");

  SECTION("another number is wanted") {
    CHECK(says(world.fault(3), "is of sleep 2, and the workspace's last is 3"));
  }
  SECTION("the memory is an old one") {
    world.copy("old-memory", MEMORY);
    CHECK(says(world.fault(2), "is of sleep 1, and the workspace's last is 2"));
  }
  SECTION("the disk is an old one") {
    world.copy("old-disk", FINISHED);
    CHECK(says(world.fault(2), "is of sleep 1, and the workspace's last is 2"));
  }
  SECTION("both are") {
    world.copy("old-disk", FINISHED);
    world.copy("old-memory", MEMORY);
    CHECK(says(world.fault(2), "is of sleep 1, and the workspace's last is 2"));
  }
  SECTION("somebody without the key has written another number") {
    auto file = openToWrite(world.directory.at(MEMORY));
    world.copy("old-memory", MEMORY);
    auto number = readAt(openToWrite(world.directory.at("new-memory")), sealOffset(), 16);
    writeAt(file, sealOffset(), number);
    CHECK(says(world.fault(2), "has no seal of a sleep"));
  }
  SECTION("it is another workspace's key") {
    CHECK(says(world.fault(2, 9), "has no seal of a sleep"));
  }
  SECTION("its header is destroyed") {
    writeAt(openToWrite(world.directory.at(MEMORY)), 0, zeros(LUKS_HEADER_BYTES));
    CHECK(says(world.fault(2), "has no LUKS header any more"));
  }
  SECTION("it has another name") {
    CHECK(link(world.directory.at(MEMORY).cStr(), world.directory.at("other").cStr()) == 0);
    CHECK(says(world.fault(2), "has more than one name"));
  }
  SECTION("it is gone") {
    world.memories->destroy(ID);
    CHECK_FALSE(world.directory.has(MEMORY));
    world.memories->destroy(ID);
    CHECK(says(world.fault(2), "is not there"));
  }
}

TEST_CASE(
    "a disk that cannot hold the memory says what it needs and what is free, and keeps nothing") {
  MemoryWorld world;
  world.memories->destroy(ID);
  auto failure = failureOf([&]() { world.memories->create(ID, 1ull << 50, testKey()); });
  CHECK(failure.getType() == kj::Exception::Type::OVERLOADED);
  CHECK(says(failure, "it needs 1073741826 MiB, and of the "));
  CHECK_FALSE(world.directory.has(MEMORY));
}

TEST_CASE("memory without a disk is listed, as it belongs to no workspace either") {
  MemoryWorld world;
  world.volumes->destroy(ID);
  CHECK(world.volumes->list().size() == 1);
}

}  // namespace
}  // namespace bothy
