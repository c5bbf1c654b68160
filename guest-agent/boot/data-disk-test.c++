#include "boot/data-disk.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <kj/filesystem.h>
#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

// A disk without a name, in memory.
kj::AutoCloseFd newDisk(uint64_t bytes) {
  int fd;
  KJ_SYSCALL(fd = ::memfd_create("disk", MFD_CLOEXEC));
  kj::AutoCloseFd disk(fd);
  KJ_SYSCALL(::ftruncate(disk.get(), bytes));
  return disk;
}

void put(int fd, uint64_t offset, kj::ArrayPtr<const kj::byte> bytes) {
  KJ_SYSCALL(::pwrite(fd, bytes.begin(), bytes.size(), offset));
}

const kj::byte MAGIC[] = {0x53, 0xef};
const kj::byte SOMETHING[] = {1};
constexpr uint64_t MIB = 1024 * 1024;

TEST_CASE("a disk of zeros is blank") {
  CHECK(inspectDisk(newDisk(512 * MIB).get()) == DiskContent::BLANK);
}

TEST_CASE("an ext4 superblock is seen") {
  auto disk = newDisk(64 * MIB);
  put(disk.get(), 1024 + 56, MAGIC);
  CHECK(inspectDisk(disk.get()) == DiskContent::EXT4);
}

TEST_CASE("a disk with anything else on it is not taken for blank") {
  for (uint64_t offset :
       {uint64_t(0), uint64_t(512), uint64_t(40960), 64 * MIB - 1, 64 * MIB - 512}) {
    CAPTURE(offset);
    auto disk = newDisk(64 * MIB);
    put(disk.get(), offset, SOMETHING);
    CHECK(inspectDisk(disk.get()) == DiskContent::FOREIGN);
  }
}

TEST_CASE("an ext4 whose beginning was wiped is not taken for blank") {
  auto disk = newDisk(512 * MIB);
  put(disk.get(), 128 * MIB + 56, MAGIC);
  CHECK(inspectDisk(disk.get()) == DiskContent::FOREIGN);
}

TEST_CASE("a format that was cut short is known as such, and no longer once it is complete") {
  auto disk = newDisk(64 * MIB);
  markFormatting(disk.get());
  put(disk.get(), 8192, SOMETHING);
  CHECK(inspectDisk(disk.get()) == DiskContent::HALF_FORMATTED);
  put(disk.get(), 1024 + 56, MAGIC);
  CHECK(inspectDisk(disk.get()) == DiskContent::HALF_FORMATTED);
  clearFormatting(disk.get());
  CHECK(inspectDisk(disk.get()) == DiskContent::EXT4);
}

TEST_CASE("a disk that is too small for anything is damaged") {
  CHECK_THROWS_AS(inspectDisk(newDisk(MIB).get()), kj::Exception);
}

TEST_CASE("a device that is not there is absent, one that is none is damaged") {
  CHECK(mountDataDisk("/dev/bothy-no-such-disk", "/nowhere", "/nowhere").is<DiskAbsent>());
  CHECK(mountDataDisk("/dev/null", "/nowhere", "/nowhere").is<DiskDamaged>());
}

}  // namespace
}  // namespace bothy
