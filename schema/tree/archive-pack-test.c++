#include "tree/archive-pack.h"

#include <fcntl.h>
#include <kj/thread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch_test_macros.hpp>

#include "tree/archive-unpack.h"
#include "tree/test-directory.h"

namespace bothy {
namespace {

using Reason = FileProblem::Reason;

constexpr off_t MIB = 1 << 20;

kj::AutoCloseFd memory() {
  int fd;
  KJ_SYSCALL(fd = memfd_create("archive", MFD_CLOEXEC));
  return kj::AutoCloseFd(fd);
}

// A tree and its copy by way of an archive.
struct Copied {
  TestDirectory world;
  TreeProgress packed;
  TreeProgress unpacked;
  uint64_t archiveBytes = 0;

  Copied() {
    world.makeDirectory("from");
    world.makeDirectory("to");
  }

  kj::Maybe<FileProblem> pack(kj::StringPtr from, int archive) {
    int directory;
    KJ_SYSCALL(directory = open(from.cStr(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    kj::AutoCloseFd owned(directory);
    return packTree(directory, ".", archive, packed);
  }
  kj::Maybe<FileProblem> copyFrom(kj::StringPtr from) {
    auto archive = memory();
    KJ_IF_MAYBE (problem, pack(from, archive)) return kj::mv(*problem);
    off_t size;
    KJ_SYSCALL(size = lseek(archive, 0, SEEK_CUR));
    archiveBytes = static_cast<uint64_t>(size);
    KJ_SYSCALL(lseek(archive, 0, SEEK_SET));
    int root;
    KJ_SYSCALL(root = open(world.at("to").cStr(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    kj::AutoCloseFd owned(root);
    TreeWriter writer(root, TreeWriter::Duplicates::REFUSE, TreeWriter::Root::SET);
    KJ_IF_MAYBE (problem, unpackArchive(archive, writer, {}, unpacked)) return kj::mv(*problem);
    return writer.finish(owned);
  }
  void copy() {
    auto problem = copyFrom(world.at("from"));
    KJ_IF_MAYBE (p, problem) FAIL(kj::str(p->path, ": ", p->message).cStr());
  }

  void age(kj::StringPtr name, time_t seconds, long nanos) {
    const timespec times[2] = {{0, UTIME_OMIT}, {seconds, nanos}};
    KJ_SYSCALL(utimensat(AT_FDCWD, world.at(name).cStr(), times, AT_SYMLINK_NOFOLLOW));
  }
  bool sameTime(kj::StringPtr name) {
    auto one = world.status(kj::str("from/", name));
    auto other = world.status(kj::str("to/", name));
    return one.st_mtim.tv_sec == other.st_mtim.tv_sec &&
           one.st_mtim.tv_nsec == other.st_mtim.tv_nsec;
  }
  uint mode(kj::StringPtr name) { return world.status(name).st_mode & 07777; }
};

TEST_CASE("a tree that is packed and unpacked is the same tree") {
  Copied copied;
  auto& world = copied.world;
  world.makeDirectory("from/sub");
  world.write("from/sub/caf\xc3\xa9", "utf-8");
  world.write("from/sub/raw\xff\xfe name", "bytes");
  world.write("from/large", kj::str(kj::repeat('y', 1000000)));
  KJ_SYSCALL(link(world.at("from/large").cStr(), world.at("from/sub/again").cStr()));
  KJ_SYSCALL(symlink("/etc/passwd", world.at("from/absolute").cStr()));
  KJ_SYSCALL(mkfifo(world.at("from/fifo").cStr(), 0600));
  world.write(kj::str("from/", kj::repeat('l', 255)), "long");
  copied.copy();
  CHECK(copied.packed.skipped == 1);
  CHECK(copied.packed.entries == copied.unpacked.entries);
  CHECK(world.read("to/sub/caf\xc3\xa9") == "utf-8");
  CHECK(world.read("to/sub/raw\xff\xfe name") == "bytes");
  CHECK(world.read(kj::str("to/", kj::repeat('l', 255))) == "long");
  CHECK(world.status("to/large").st_ino == world.status("to/sub/again").st_ino);
  CHECK(std::filesystem::read_symlink(world.at("to/absolute").cStr()) == "/etc/passwd");
  CHECK_FALSE(world.has("to/fifo"));
}

TEST_CASE("modes are kept as they stand, whatever the umask, also of the tree itself") {
  Copied copied;
  auto& world = copied.world;
  world.makeDirectory("from/shut");
  world.write("from/shut/open-to-all", "x");
  world.write("from/secret", "x");
  KJ_SYSCALL(chmod(world.at("from/shut/open-to-all").cStr(), 0666));
  KJ_SYSCALL(chmod(world.at("from/secret").cStr(), 0400));
  KJ_SYSCALL(chmod(world.at("from/shut").cStr(), 0575));
  KJ_SYSCALL(chmod(world.at("from").cStr(), 0700));
  auto before = umask(077);
  copied.copy();
  umask(before);
  CHECK(copied.mode("to") == 0700);
  CHECK(copied.mode("to/shut") == 0575);
  CHECK(copied.mode("to/shut/open-to-all") == 0666);
  CHECK(copied.mode("to/secret") == 0400);
}

TEST_CASE("times of files, directories and symlinks are kept to the nanosecond") {
  Copied copied;
  auto& world = copied.world;
  world.makeDirectory("from/d");
  world.write("from/d/f", "x");
  KJ_SYSCALL(symlink("f", world.at("from/d/link").cStr()));
  copied.age("from/d/f", 981173106, 123456789);
  copied.age("from/d/link", -5, 1);  // before 1970
  copied.age("from/d", 4102444800, 999999999);
  copied.age("from", 1, 0);
  copied.copy();
  for (auto name : {"", "d", "d/f", "d/link"}) {
    INFO(name);
    CHECK(copied.sameTime(name));
  }
}

TEST_CASE("holes are kept, and a file of 10 GiB takes the time of its data") {
  Copied copied;
  auto& world = copied.world;
  auto sparse = [&](kj::StringPtr name, off_t size, std::initializer_list<off_t> data) {
    int fd;
    KJ_SYSCALL(fd = open(world.at(name).cStr(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    kj::AutoCloseFd owned(fd);
    for (auto at : data) KJ_SYSCALL(pwrite(fd, "data", 4, at));
    KJ_SYSCALL(ftruncate(fd, size));
  };
  sparse("from/all-hole", 10240 * MIB, {});
  sparse("from/hole-at-end", 10240 * MIB, {0, 3 * MIB});
  sparse("from/hole-before", 64 * MIB, {64 * MIB - 4});
  sparse("from/small-hole\xff", 100000, {});
  copied.copy();
  CHECK(copied.archiveBytes < 1 << 20);
  for (auto name : {"all-hole", "hole-at-end", "hole-before", "small-hole\xff"}) {
    INFO(name);
    auto from = world.status(kj::str("from/", name));
    auto to = world.status(kj::str("to/", name));
    CHECK(to.st_size == from.st_size);
    CHECK(to.st_blocks == from.st_blocks);
  }
  int fd;
  KJ_SYSCALL(fd = open(world.at("to/hole-at-end").cStr(), O_RDONLY | O_CLOEXEC));
  kj::AutoCloseFd owned(fd);
  for (off_t at : {off_t{0}, 3 * MIB}) {
    char read[5] = {};
    KJ_SYSCALL(pread(fd, read, 4, at));
    CHECK(kj::StringPtr(read) == "data");
  }
}

TEST_CASE("P16 a file whose size says nothing gives its bytes") {
  // Of /proc it says 0, of /sys more than there is.
  Copied copied;
  auto problem = copied.copyFrom("/proc/self/net/stat");
  KJ_IF_MAYBE (p, problem) FAIL(kj::str(p->path, ": ", p->message).cStr());
  CHECK(copied.world.status("to/rt_cache").st_size > 0);
  constexpr auto SYSFS = "/sys/kernel/mm/transparent_hugepage";
  if (access(SYSFS, R_OK) != 0) return;
  Copied sysfs;
  problem = sysfs.copyFrom(SYSFS);
  KJ_IF_MAYBE (p, problem) FAIL(kj::str(p->path, ": ", p->message).cStr());
  auto text = sysfs.world.read("to/enabled");
  CHECK(text.endsWith("\n"));
  CHECK(text.findFirst('\0') == nullptr);
}

TEST_CASE(
    "P16 a file that becomes shorter while it is packed is told, and never filled with zeros") {
  Copied copied;
  constexpr off_t SIZE = 4 * MIB;
  auto path = copied.world.at("from/log");
  copied.world.write("from/log", kj::str(kj::repeat('x', SIZE)));
  // A reader that cuts the file when its first bytes have come.
  int ends[2];
  KJ_SYSCALL(pipe2(ends, O_CLOEXEC));
  kj::AutoCloseFd readEnd(ends[0]);
  kj::Maybe<FileProblem> problem;
  {
    kj::Thread packing([&, writeEnd = kj::AutoCloseFd(ends[1])]() mutable {
      auto archive = kj::mv(writeEnd);
      problem = copied.pack(copied.world.at("from"), archive);
    });
    char buffer[4096];
    KJ_SYSCALL(read(readEnd, buffer, sizeof(buffer)));
    KJ_SYSCALL(truncate(path.cStr(), 0));
    while (read(readEnd, buffer, sizeof(buffer)) > 0) {
    }
  }
  CHECK(KJ_ASSERT_NONNULL(problem).reason == Reason::CHANGED);
  CHECK(KJ_ASSERT_NONNULL(problem).path == "./log");
}

}  // namespace
}  // namespace bothy
