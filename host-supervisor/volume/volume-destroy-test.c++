#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <kj/function.h>

#include "support/host-program.h"
#include "volume/test-volumes.h"
#include "volume/volume-file.h"

namespace bothy {
namespace {

// What a key slot keeps, and so what must be gone: 32 bytes of its middle.
kj::Array<kj::byte> keyMaterial(VolumeWorld& world) {
  return readAt(world.open(), LUKS_AREA_OFFSET + 4096 + 100000, 32);
}

// How many bytes of the host's disk a file has.
uint64_t allocated(int fd) {
  struct stat stats;
  KJ_SYSCALL(fstat(fd, &stats));
  return uint64_t(stats.st_blocks) * 512;
}

TEST_CASE("E02 of a destroyed volume nothing is left to one who still has it open") {
  VolumeWorld world;
  world.create();
  auto open = world.open();
  writeAt(open, HEAD_BYTES, zeros(MEBIBYTE));
  CHECK(allocated(open) > MEBIBYTE);
  world.volumes->destroy(ID);
  CHECK(allocated(open) == 0);
  CHECK(isZero(readAt(open, LUKS_AREA_OFFSET, LUKS_AREA_BYTES)));
  CHECK(isZero(readAt(open, 0, HEAD_BYTES)));
  CHECK(world.isEmpty());
}

TEST_CASE("E02 what opens a volume is overwritten in place before its blocks are given back") {
  VolumeWorld world;
  world.create();
  auto blocks = allocated(world.open());
  VolumeFile(world.open(), kj::str("it")).wipe();
  CHECK(isZero(readAt(world.open(), LUKS_AREA_OFFSET, LUKS_AREA_BYTES)));
  CHECK(isZero(readAt(world.open(), 0, CLUSTER_BYTES)));
  // Zeros on the disk, not a hole.
  CHECK(allocated(world.open()) == blocks);
}

TEST_CASE("E02 a disk that held a volume does not hold its key slot after it is destroyed") {
  if (geteuid() != 0) SKIP("mounting wants root");
  TestDirectory directory;
  auto disk = directory.at("disk"), place = directory.at("place");
  directory.makeDirectory("place");
  auto size = 512 * MEBIBYTE;
  KJ_SYSCALL(ftruncate(openToWrite(disk), size));
  kj::StringPtr make[] = {"mkfs.ext4"_kj, "-q"_kj, disk};
  hostOutput(make);
  kj::StringPtr attach[] = {"mount"_kj, "-o"_kj, "loop"_kj, disk, place};
  auto attached = runProgram(attach);
  if (attached.status != 0) SKIP("this host mounts no files: " << attached.err.cStr());
  auto onDisk = [&](kj::ArrayPtr<const kj::byte> part) {
    auto fd = openToWrite(disk);
    void* all = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
    KJ_ASSERT(all != MAP_FAILED);
    KJ_DEFER(munmap(all, size));
    return contains(kj::arrayPtr(static_cast<kj::byte*>(all), size), part);
  };
  kj::Array<kj::byte> material, salt;
  {
    KJ_DEFER(umount2(place.cStr(), MNT_DETACH));
    auto volumes = kj::atomicRefcounted<VolumeDirectory>(kj::str(place, "/volumes"));
    volumes->create(ID, 64 * MEBIBYTE, testKey());
    {
      auto fd = openToWrite(volumes->pathOf(ID));
      material = readAt(fd, LUKS_AREA_OFFSET + 4096 + 100000, 32);
      salt = readAt(fd, LUKS_AREA_OFFSET + 216, 32);
    }
    CHECK(onDisk(material));
    CHECK(onDisk(salt));
    volumes->destroy(ID);
  }
  CHECK_FALSE(onDisk(material));
  CHECK_FALSE(onDisk(salt));
}

TEST_CASE("P28 destroying what does not exist is success") {
  VolumeWorld world;
  world.volumes->destroy(ID);
  world.create();
  world.volumes->destroy(ID);
  world.volumes->destroy(ID);
  CHECK(world.isEmpty());
}

TEST_CASE("P28 a volume is destroyed again from whatever state a kill left it in") {
  auto wipeLuks = [](VolumeWorld& world) {
    writeAt(world.open(), LUKS_AREA_OFFSET, zeros(LUKS_AREA_BYTES));
  };
  auto wipeHeader = [](VolumeWorld& world) { writeAt(world.open(), 0, zeros(CLUSTER_BYTES)); };
  auto cut = [](VolumeWorld& world, uint64_t size) { KJ_SYSCALL(ftruncate(world.open(), size)); };
  kj::Function<void(VolumeWorld&)> kills[] = {
      [](VolumeWorld& world) {},
      [](VolumeWorld& world) { writeAt(world.open(), LUKS_AREA_OFFSET, zeros(CLUSTER_BYTES)); },
      [&](VolumeWorld& world) { wipeLuks(world); },
      [&](VolumeWorld& world) {
        wipeLuks(world);
        wipeHeader(world);
      },
      [&](VolumeWorld& world) { wipeHeader(world); },
      [&](VolumeWorld& world) { cut(world, 0); },
      // Never whole, or damaged.
      [&](VolumeWorld& world) { cut(world, 100); },
      [&](VolumeWorld& world) { cut(world, LUKS_AREA_OFFSET + CLUSTER_BYTES + 100); },
      [&](VolumeWorld& world) { cut(world, 2 * HEAD_BYTES); },
      [](VolumeWorld& world) { writeAt(world.open(), 0, "XXXX no header of ours"_kj.asBytes()); },
  };
  for (auto& kill : kills) {
    for (bool isFinished : {true, false}) {
      for (bool hasOther : {true, false}) {
        VolumeWorld world;
        world.create();
        auto material = keyMaterial(world);
        kill(world);
        auto open = world.open();
        if (!isFinished) {
          KJ_SYSCALL(
              rename(world.directory.at(FINISHED).cStr(), world.directory.at(UNFINISHED).cStr()));
        }
        if (hasOther) world.directory.write(isFinished ? UNFINISHED : FINISHED, "another file");
        CHECK(world.volumes->list().size() == 1);
        for (int again = 0; again < 2; ++again) {
          world.volumes->destroy(ID);
          CHECK(world.isEmpty());
          CHECK(world.volumes->list().size() == 0);
          CHECK(allocated(open) == 0);
        }
        CHECK_FALSE(contains(readAt(open, 0, 2 * HEAD_BYTES), material));
      }
    }
  }
}

TEST_CASE("what only has a volume's name goes, and what it leads to stays") {
  VolumeWorld world;
  world.directory.write("other", "precious");
  KJ_SYSCALL(symlink("../other", world.directory.at(FINISHED).cStr()));
  KJ_SYSCALL(mkfifo(world.directory.at(UNFINISHED).cStr(), 0600));
  world.volumes->destroy(ID);
  CHECK(world.directory.count() == 2);
  CHECK(world.directory.read("other") == "precious");
}

TEST_CASE("a hole where the LUKS area should be is not filled") {
  VolumeWorld world;
  auto file = openToWrite(world.directory.at(FINISHED));
  KJ_SYSCALL(ftruncate(file, 16 * MEBIBYTE));
  VolumeFile(world.open(), kj::str("it")).wipe();
  CHECK(allocated(file) == 0);
  struct stat stats;
  KJ_SYSCALL(fstat(file, &stats));
  CHECK(uint64_t(stats.st_size) == 16 * MEBIBYTE);
}

}  // namespace
}  // namespace bothy
