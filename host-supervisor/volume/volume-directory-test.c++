#include "volume/volume-directory.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "volume/test-volumes.h"

namespace bothy {
namespace {

using Type = kj::Exception::Type;

// A file system of its own for the directory of volumes, as long as this lives.
class SmallDisk final {
public:
  SmallDisk(VolumeWorld& world, kj::StringPtr options) : path(world.directory.at("volumes")) {
    if (geteuid() != 0) SKIP("mounting wants root");
    KJ_SYSCALL(mount("tmpfs", path.cStr(), "tmpfs", 0, options.cStr()));
    world.volumes = kj::atomicRefcounted<VolumeDirectory>(path);
  }
  ~SmallDisk() noexcept(false) { umount2(path.cStr(), MNT_DETACH); }
  KJ_DISALLOW_COPY_AND_MOVE(SmallDisk);

private:
  kj::String path;
};

TEST_CASE("S20 a volume has its size, takes little space and is its machine's while there is one") {
  VolumeWorld world;
  uint32_t user = geteuid() == 0 ? 12345 : getuid();
  mode_t old = umask(0277);
  KJ_DEFER(umask(old));
  world.volumes->create(ID, 1024 * MEBIBYTE, testKey());
  auto isOf = [&](uint32_t owner) {
    auto status = world.status();
    CHECK((status.st_mode & 07777) == 0600);
    CHECK(status.st_uid == owner);
    CHECK(status.st_gid == owner);
    auto listed = world.volumes->list();
    CHECK(listed[0].user.orDefault(geteuid()) == owner);
    CHECK((listed[0].user == nullptr) == (owner == geteuid()));
  };
  isOf(geteuid());
  world.volumes->give(ID, user);
  isOf(user);
  // Also one that its machine has left open to all, and broken.
  KJ_SYSCALL(chmod(world.directory.at(FINISHED).cStr(), 0666));
  KJ_SYSCALL(truncate(world.directory.at(FINISHED).cStr(), 7));
  world.volumes->reclaim(ID);
  isOf(geteuid());
  CHECK(says(failureOf([&]() { world.volumes->give(ID, user); }), "is cut off"));
  isOf(geteuid());
  world.volumes->create(ID, 1024 * MEBIBYTE, testKey());
  auto status = world.status();
  CHECK(uint64_t(status.st_size) == HEAD_BYTES);
  CHECK(status.st_blocks * 512 < 4 * MEBIBYTE);
  world.volumes->check(ID, 1024 * MEBIBYTE);
}

TEST_CASE("S20 a volume is given and taken back by its name in the directory alone") {
  VolumeWorld world;
  world.volumes->reclaim(ID);
  CHECK(says(failureOf([&]() { world.volumes->give(ID, getuid()); }), "does not exist"));
  world.directory.write("other", "precious");
  KJ_SYSCALL(chmod(world.directory.at("other").cStr(), 0644));
  KJ_SYSCALL(symlink(world.directory.at("other").cStr(), world.directory.at(FINISHED).cStr()));
  world.volumes->reclaim(ID);
  CHECK(says(failureOf([&]() { world.volumes->give(ID, getuid()); }), "symbolic link"));
  CHECK((world.directory.status("other").st_mode & 07777) == 0644);
}

TEST_CASE("users of machines may pass through the directory and not look around") {
  VolumeWorld world;
  CHECK((world.directory.status("volumes").st_mode & 07777) == 0711);
}

TEST_CASE("P28 making a volume replaces a remnant, finished or not, with another key or size") {
  VolumeWorld world;
  world.create(64 * MEBIBYTE, 1);
  auto remnant = world.open();
  auto before = readAt(remnant, 0, HEAD_BYTES);
  world.directory.write(UNFINISHED, "half");
  world.create(128 * MEBIBYTE, 2);
  world.volumes->check(ID, 128 * MEBIBYTE);
  CHECK_FALSE(world.directory.has(UNFINISHED));
  // Whoever still had the old one open does not share the new one.
  CHECK(readAt(remnant, 0, HEAD_BYTES) == before);
  CHECK(world.content() != before);
}

TEST_CASE("P28 a remnant that leads elsewhere is replaced and what it leads to stays") {
  VolumeWorld world;
  world.directory.write("other", "precious");
  for (auto name : {FINISHED, UNFINISHED}) {
    KJ_SYSCALL(symlink(world.directory.at("other").cStr(), world.directory.at(name).cStr()));
  }
  world.create();
  world.volumes->check(ID, 64 * MEBIBYTE);
  CHECK(world.directory.read("other") == "precious");
}

TEST_CASE("a volume of no whole MiB, of none or beyond the limit is refused") {
  VolumeWorld world;
  for (uint64_t bytes : {uint64_t(0), MEBIBYTE - 1, MEBIBYTE + 512, MAX_VOLUME_BYTES + MEBIBYTE,
                         uint64_t(1) << 63}) {
    CHECK(says(failureOf([&]() { world.create(bytes); }), "16777216"));
    CHECK(says(failureOf([&]() { world.volumes->grow(ID, bytes); }), "16777216"));
  }
  CHECK(world.isEmpty());
}

TEST_CASE("a volume that the host's disk cannot hold is OVERLOADED and leaves nothing") {
  VolumeWorld world;
  SmallDisk disk(world, "size=320m");
  auto failure = failureOf([&]() { world.create(100 * MEBIBYTE); });
  CHECK(failure.getType() == Type::OVERLOADED);
  CHECK(says(failure, "needs 103 MiB, and of the 320 MiB that are free 256 MiB stay free"));
  CHECK(world.isEmpty());
  world.create(50 * MEBIBYTE);

  auto grown = failureOf([&]() { world.volumes->grow(ID, 150 * MEBIBYTE); });
  CHECK(grown.getType() == Type::OVERLOADED);
  CHECK(says(grown, "needs 100 MiB"));
  world.volumes->check(ID, 50 * MEBIBYTE);
  world.volumes->grow(ID, 100 * MEBIBYTE);
  world.volumes->check(ID, 100 * MEBIBYTE);
}

TEST_CASE("R02 a host without room for a machine's writes is OVERLOADED, and says what it takes") {
  VolumeWorld world;
  world.volumes->requireRoom();
  SmallDisk disk(world, "size=63m");
  auto failure = failureOf([&]() { world.volumes->requireRoom(); });
  CHECK(failure.getType() == Type::OVERLOADED);
  CHECK(says(failure, "63 MiB are free"));
  CHECK(says(failure, "at least 64 MiB must be"));
}

TEST_CASE("a file system that has no more files is OVERLOADED") {
  VolumeWorld world;
  SmallDisk disk(world, "size=400m,nr_inodes=1");
  CHECK(failureOf([&]() { world.create(MEBIBYTE); }).getType() == Type::OVERLOADED);
  CHECK(world.isEmpty());
}

TEST_CASE("a file system that takes no file of this size is OVERLOADED and leaves nothing") {
  VolumeWorld world;
  struct rlimit old;
  KJ_SYSCALL(getrlimit(RLIMIT_FSIZE, &old));
  auto oldHandler = signal(SIGXFSZ, SIG_IGN);
  KJ_DEFER({
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, oldHandler);
  });
  struct rlimit small{32 * MEBIBYTE, old.rlim_max};
  KJ_SYSCALL(setrlimit(RLIMIT_FSIZE, &small));
  auto failure = failureOf([&]() { world.create(64 * MEBIBYTE); });
  CHECK(failure.getType() == Type::OVERLOADED);
  CHECK(says(failure, "takes no file of this size, 66 MiB"));
  CHECK(world.isEmpty());

  // One that shows only while the content is written.
  small.rlim_cur = MEBIBYTE;
  KJ_SYSCALL(setrlimit(RLIMIT_FSIZE, &small));
  CHECK(failureOf([&]() { world.create(MEBIBYTE); }).getType() == Type::OVERLOADED);
  CHECK(world.isEmpty());
}

TEST_CASE("a volume grows by one number, and never shrinks") {
  VolumeWorld world;
  world.create(64 * MEBIBYTE);
  auto before = world.content();
  world.volumes->grow(ID, 96 * MEBIBYTE);
  world.volumes->check(ID, 96 * MEBIBYTE);
  CHECK(says(failureOf([&]() { world.volumes->check(ID, 64 * MEBIBYTE); }),
             "is 96 MiB large and not 64 MiB"));
  world.volumes->grow(ID, 32 * MEBIBYTE);
  world.volumes->grow(ID, 96 * MEBIBYTE);
  world.volumes->check(ID, 96 * MEBIBYTE);

  auto after = world.content();
  REQUIRE(after.size() == before.size());
  memset(before.begin() + GUEST_BYTES_OFFSET, 0, SIZE_FIELDS_BYTES);
  memset(after.begin() + GUEST_BYTES_OFFSET, 0, SIZE_FIELDS_BYTES);
  CHECK(before == after);
}

TEST_CASE("S15 what does not exist or is no whole volume does not grow") {
  VolumeWorld world;
  CHECK(says(failureOf([&]() { world.volumes->grow(ID, MEBIBYTE); }), "does not exist"));
  world.directory.write("other", "precious");
  KJ_SYSCALL(symlink("../other", world.directory.at(FINISHED).cStr()));
  CHECK(says(failureOf([&]() { world.volumes->grow(ID, MEBIBYTE); }), "symbolic link"));
  world.volumes->destroy(ID);
  world.create();
  writeAt(world.open(), 0, zeros(8));
  CHECK(says(failureOf([&]() { world.volumes->grow(ID, 128 * MEBIBYTE); }), "is refused"));
  CHECK(world.directory.read("other") == "precious");
}

TEST_CASE("all volumes are listed once, unfinished ones too, and nothing else") {
  VolumeWorld world;
  world.create();
  for (auto name : {UNFINISHED, "volumes/half.qcow2.new"_kj, "volumes/a.raw"_kj,
                    "volumes/.qcow2"_kj, "volumes/UPPER.qcow2"_kj, "volumes/a.qcow2.old"_kj}) {
    world.directory.write(name, "");
  }
  auto listed = world.volumes->list();
  REQUIRE(listed.size() == 2);
  CHECK(listed[0].id == ID);
  CHECK(listed[1].id == "half");
}

TEST_CASE("an id that could leave the directory is refused") {
  VolumeWorld world;
  auto longest = kj::strArray(kj::repeat('a', 63), "");
  auto tooLong = kj::strArray(kj::repeat('a', 64), "");
  CHECK(world.volumes->pathOf(longest).endsWith(".qcow2"));
  for (kj::StringPtr id :
       {""_kj, "../etc/passwd"_kj, "a/b"_kj, "."_kj, "A"_kj, "a.b"_kj, "a_b"_kj, tooLong.asPtr()}) {
    CHECK_THROWS(world.volumes->pathOf(id));
    CHECK_THROWS(world.volumes->create(id, MEBIBYTE, testKey()));
    CHECK_THROWS(world.volumes->grow(id, MEBIBYTE));
    CHECK_THROWS(world.volumes->check(id, MEBIBYTE));
    CHECK_THROWS(world.volumes->destroy(id));
  }
  CHECK(world.isEmpty());
}

}  // namespace
}  // namespace bothy
