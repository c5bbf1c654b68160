#include "volume/test-qemu.h"
#include "volume/volume-store.h"

namespace bothy {
namespace {

constexpr uint64_t SIZE = 256 * MEBIBYTE;

// A text of 64 KiB that the guest would write, below the world's directory.
constexpr kj::StringPtr MARK = "bothy-plaintext-marker."_kj;
kj::String writeMark(VolumeWorld& world) {
  kj::Vector<char> text;
  while (text.size() < 64 * 1024) text.addAll(MARK);
  text.resize(64 * 1024);
  text.add('\0');
  world.directory.write("mark", kj::String(text.releaseAsArray()));
  return world.directory.at("mark");
}

uint64_t allocated(VolumeWorld& world) {
  return uint64_t(world.status().st_blocks) * 512;
}

TEST_CASE("E01 what is written through QEMU is found with the key and not in the file") {
  VolumeWorld world;
  world.create(SIZE);
  QemuTools qemu(world);
  CHECK(qemu.isSound());
  auto write = kj::str("write -s ", writeMark(world), " 5M 64k");
  qemu.io({write, "write -P 0x5a 100M 1M"});
  CHECK(qemu.isSound());
  CHECK(says(qemu.io({"read -v 5M 512"}), "marker.bothy.pla"));
  qemu.io({"read -P 0x5a 100M 1M", "read -P 0 0 5M", "read -P 0 101M 155M"});

  auto content = world.content();
  CHECK(content.size() >= HEAD_BYTES + MEBIBYTE);
  CHECK_FALSE(contains(content, MARK.asBytes()));
  auto pattern = kj::heapArray<kj::byte>(32);
  memset(pattern.begin(), 0x5a, pattern.size());
  CHECK_FALSE(contains(content, pattern));
  // Nor the key in any form; the passphrase is its hexadecimal digits.
  auto key = testKey();
  CHECK_FALSE(contains(content, key.bytes()));
  CHECK_FALSE(contains(content, hexadecimal(key).bytes()));
}

TEST_CASE("E01 another key does not open a volume, and none does neither") {
  VolumeWorld world;
  world.create(SIZE);
  QemuTools qemu(world);
  qemu.io({"read 0 4k"});
  qemu.useKey(testKey(2));
  auto done = qemu.tryIo({"read 0 4k"});
  CHECK(done.status != 0);
  CHECK(says(done.err, "Invalid password"));
  auto path = world.directory.at(FINISHED);
  kj::StringPtr bare[] = {"qemu-io"_kj, "-f"_kj, "qcow2"_kj, "-c"_kj, "read 0 4k"_kj, path};
  CHECK(runProgram(bare).status != 0);
}

TEST_CASE("P31 what the guest discards is space of the host again") {
  VolumeWorld world;
  world.create(SIZE);
  QemuTools qemu(world);
  qemu.io({"write -P 7 0 64M"});
  CHECK(allocated(world) > 64 * MEBIBYTE);
  qemu.io({"discard 0 64M"});
  CHECK(allocated(world) < 4 * MEBIBYTE);
  qemu.io({"read -P 0 0 64M"});
  CHECK(qemu.isSound());
  world.volumes->check(ID, SIZE);
}

TEST_CASE("a guest cannot write beyond the end of its volume") {
  VolumeWorld world;
  world.create(MEBIBYTE);
  QemuTools qemu(world);
  qemu.io({"write -P 1 0 1M"});
  for (auto command : {"write -P 1 1M 512"_kj, "write -P 1 1023k 2k"_kj, "write -P 1 1T 64k"_kj}) {
    CHECK(qemu.tryIo({command}).status != 0);
  }
  CHECK(uint64_t(world.status().st_size) < HEAD_BYTES + 2 * MEBIBYTE);
  world.volumes->check(ID, MEBIBYTE);
}

TEST_CASE("a volume that grows keeps its data and has zeros behind it") {
  VolumeWorld world;
  world.create(64 * MEBIBYTE);
  QemuTools qemu(world);
  qemu.io({"write -P 9 0 64M"});
  for (uint64_t mib : {65, 600, 5000}) {
    world.volumes->grow(ID, mib * MEBIBYTE);
    world.volumes->check(ID, mib * MEBIBYTE);
    auto last = kj::str((mib - 1) * MEBIBYTE);
    auto volume = qemu.image();
    auto told = qemu.run("qemu-img", "info"_kj, {volume});
    CHECK(says(told.out, kj::str("(", mib * MEBIBYTE, " bytes)")));
    qemu.io({"read -P 9 0 64M", kj::str("read -P 0 ", last, " 1M"),
             kj::str("write -P 3 ", last, " 1M"), kj::str("read -P 3 ", last, " 1M"),
             kj::str("write -P 0 ", last, " 1M")});
    CHECK(qemu.tryIo({kj::str("read ", mib * MEBIBYTE, " 512")}).status != 0);
    CHECK(qemu.isSound());
  }
  world.volumes->grow(ID, 64 * MEBIBYTE);
  world.volumes->check(ID, 5000 * MEBIBYTE);
}

TEST_CASE("the largest volumes are written at both ends") {
  VolumeWorld world;
  auto expectBothEnds = [&](uint64_t bytes) {
    world.volumes->check(ID, bytes);
    QemuTools qemu(world);
    auto last = kj::str(bytes - 64 * 1024, " 64k");
    qemu.io({"write -P 1 0 1M", kj::str("write -P 2 ", last)});
    qemu.io({"read -P 1 0 1M", kj::str("read -P 2 ", last)});
    CHECK(qemu.isSound());
    world.volumes->check(ID, bytes);
  };
  // By hand, because the host's disk need not have as much.
  world.create(MEBIBYTE);
  writeAt(world.open(), GUEST_BYTES_OFFSET, sizeFields(MAX_GROWN_VOLUME_BYTES));
  expectBothEnds(MAX_GROWN_VOLUME_BYTES);
  CHECK(says(failureOf([&]() { world.volumes->grow(ID, MAX_GROWN_VOLUME_BYTES + MEBIBYTE); }),
             "does not grow beyond"));
  world.create(MEBIBYTE);
  for (auto& piece : emptyImage(MAX_VOLUME_BYTES))
    writeAt(world.open(), piece.offset, piece.content);
  expectBothEnds(MAX_VOLUME_BYTES);
}

}  // namespace
}  // namespace bothy
