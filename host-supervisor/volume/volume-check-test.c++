#include <signal.h>
#include <sys/stat.h>

#include "volume/test-qemu.h"

namespace bothy {
namespace {

constexpr uint64_t SIZE = 64 * MEBIBYTE;

// Why the volume is refused, for people.
kj::Exception refusal(VolumeWorld& world) {
  return failureOf([&]() { world.volumes->check(ID, SIZE); });
}

TEST_CASE("S15 what QEMU writes into a volume is no reason to refuse it") {
  VolumeWorld world;
  world.create(SIZE);
  QemuTools qemu(world);
  qemu.io({"write -P 1 0 5M", "discard 1M 2M", "write -P 2 63M 1M", "flush"});
  world.volumes->check(ID, SIZE);

  // Made to write the header again, by an option there and back.
  auto volume = qemu.image();
  for (auto option : {"lazy_refcounts=on"_kj, "lazy_refcounts=off"_kj}) {
    auto done = qemu.run("qemu-img", "amend"_kj, {"-o", option, volume});
    INFO(done.err.cStr());
    REQUIRE(done.status == 0);
    if (option.endsWith("on")) CHECK(says(refusal(world), "compatible features"));
  }
  CHECK(contains(world.content().slice(0, CLUSTER_BYTES), "lazy refcounts"_kj.asBytes()));
  world.volumes->check(ID, SIZE);
}

TEST_CASE("S15 a volume whose QEMU was killed is as good as before") {
  VolumeWorld world;
  world.create(SIZE);
  QemuTools qemu(world);
  auto killed = qemu.tryIo({"write -P 1 0 5M", "flush", "write -P 2 20M 5M", "sigraise 9"});
  REQUIRE(killed.status == 128 + SIGKILL);
  world.volumes->check(ID, SIZE);
  qemu.io({"read -P 1 0 5M"});
}

TEST_CASE("S15 a volume in which QEMU put a backing file, a snapshot or another size is refused") {
  VolumeWorld world;
  world.create(SIZE);
  QemuTools qemu(world);
  auto volume = qemu.image();
  auto saved = world.content();
  auto change = [&](kj::StringPtr verb, std::initializer_list<kj::StringPtr> words) {
    writeAt(world.open(), 0, saved);
    world.volumes->check(ID, SIZE);
    auto done = qemu.run("qemu-img", verb, words);
    INFO(done.err.cStr());
    REQUIRE(done.status == 0);
  };

  world.directory.write("secret-of-the-host", "0123456789");
  auto host = world.directory.at("secret-of-the-host");
  change("rebase", {"-u", "-b", host, "-F", "raw", volume});
  CHECK(says(refusal(world), "names a backing file"));
  change("snapshot", {"-c", "one", volume});
  CHECK(says(refusal(world), "has 1 snapshots inside"));
  change("resize", {volume, "128M"});
  CHECK(says(refusal(world), "is 128 MiB large and not 64 MiB"));
  change("resize", {volume, "65537K"});
  CHECK(says(refusal(world), "is 67109888 bytes large and not 64 MiB"));
  change("bitmap", {"--add", volume, "dirt"});
  CHECK(says(refusal(world), "is refused: it has another set of autoclear features"));
}

TEST_CASE("S15 a refusal names the volume") {
  VolumeWorld world;
  world.create(SIZE);
  // The method of encryption: none.
  writeAt(world.open(), 32, zeros(4));
  auto text =
      kj::str("the volume ", world.directory.at(FINISHED), " is refused: it is not encrypted");
  CHECK(says(refusal(world), text));
  CHECK(refusal(world).getType() == kj::Exception::Type::FAILED);
}

TEST_CASE("S15 an image of QEMU's own making in the place of a volume is refused") {
  VolumeWorld world;
  QemuTools qemu(world);
  auto path = world.directory.at(FINISHED);
  kj::StringPtr plain[] = {"qemu-img"_kj, "create"_kj, "-f"_kj, "qcow2"_kj, path, "64M"_kj};
  hostOutput(plain);
  CHECK(says(refusal(world), "is cut off"));
  KJ_SYSCALL(truncate(path.cStr(), HEAD_BYTES));
  CHECK(says(refusal(world), "is not encrypted"));

  auto data = world.directory.at("data");
  auto option = kj::str("data_file=", data);
  kj::StringPtr external[] = {"qemu-img"_kj, "create"_kj, "-f"_kj, "qcow2"_kj,
                              "-o"_kj,       option,      path,    "64M"_kj};
  hostOutput(external);
  KJ_SYSCALL(truncate(path.cStr(), HEAD_BYTES));
  CHECK(says(refusal(world), "has its data in another file"));
}

TEST_CASE("S15 a volume that is no file of its own is refused") {
  VolumeWorld world;
  world.create(SIZE);
  auto path = world.directory.at(FINISHED), other = world.directory.at("other");
  KJ_SYSCALL(link(path.cStr(), other.cStr()));
  CHECK(says(refusal(world), "has 2 names"));
  KJ_SYSCALL(unlink(path.cStr()));
  KJ_SYSCALL(symlink(other.cStr(), path.cStr()));
  CHECK(says(refusal(world), "is a symbolic link"));
  KJ_SYSCALL(unlink(path.cStr()));
  CHECK(says(refusal(world), "does not exist"));
  KJ_SYSCALL(mkfifo(path.cStr(), 0600));
  CHECK(says(refusal(world), "is no regular file"));
  KJ_SYSCALL(unlink(path.cStr()));
  KJ_SYSCALL(mkdir(path.cStr(), 0700));
  CHECK(says(refusal(world), "is no regular file"));
}

TEST_CASE("S15 a volume that is cut off anywhere in its head is refused") {
  VolumeWorld world;
  world.create(SIZE);
  for (uint64_t size :
       {HEAD_BYTES - 1, LUKS_AREA_OFFSET, CLUSTER_BYTES, uint64_t(100), uint64_t(0)}) {
    KJ_SYSCALL(truncate(world.directory.at(FINISHED).cStr(), size));
    CHECK(says(refusal(world), "is cut off"));
  }
}

TEST_CASE("a volume that was destroyed in part is refused") {
  VolumeWorld world;
  world.create(SIZE);
  writeAt(world.open(), LUKS_AREA_OFFSET, zeros(LUKS_AREA_BYTES));
  CHECK(says(refusal(world), "has no LUKS header any more"));
  writeAt(world.open(), 0, zeros(CLUSTER_BYTES));
  CHECK(says(refusal(world), "has no header any more"));
}

}  // namespace
}  // namespace bothy
