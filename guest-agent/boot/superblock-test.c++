#include "boot/superblock.h"

#include <kj/debug.h>
#include <kj/io.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

// An ext4 as mkfs.ext4 makes it, on which debugfs(8) has done what `edit` says.
class Ext4Image {
public:
  explicit Ext4Image(kj::StringPtr edit = nullptr) {
    int fd;
    KJ_SYSCALL(fd = ::mkstemp(path));
    file = kj::AutoCloseFd(fd);
    run(kj::str("/sbin/mkfs.ext4 -q -F -b 4096 ", path, " 16M"));
    if (edit.size() > 0) {
      run(kj::str("/sbin/debugfs -w -R '", edit, "' ", path, " 2>/dev/null"));
    }
  }
  ~Ext4Image() { ::unlink(path); }
  KJ_DISALLOW_COPY_AND_MOVE(Ext4Image);

  int fd() { return file.get(); }

private:
  char path[32] = "/tmp/bothy-ext4-XXXXXX";
  kj::AutoCloseFd file;

  static void run(kj::StringPtr command) { REQUIRE(::system(command.cStr()) == 0); }
};

TEST_CASE("a fresh file system wants no check") {
  Ext4Image image;
  CHECK(hasSuperblock(image.fd(), SUPERBLOCK_OFFSET));
  CHECK(blockCount(image.fd()) == 4096);
  CHECK_FALSE(wantsCheck(image.fd()));
}

TEST_CASE("P44 a file system that the kernel marked wants a check") {
  // EXT4_ERROR_FS, with and without EXT4_VALID_FS, and neither of them.
  for (auto state : {"2", "3", "0"}) {
    CAPTURE(state);
    CHECK(wantsCheck(Ext4Image(kj::str("ssv state ", state)).fd()));
  }
}

TEST_CASE("a journal that must be replayed is the kernel's, not e2fsck's") {
  CHECK_FALSE(wantsCheck(Ext4Image("feature needs_recovery").fd()));
}

TEST_CASE("a device that is too short for a superblock has none") {
  int fd;
  KJ_SYSCALL(fd = ::memfd_create("disk", MFD_CLOEXEC));
  kj::AutoCloseFd disk(fd);
  KJ_SYSCALL(::ftruncate(disk.get(), 512));
  CHECK_THROWS_AS(hasSuperblock(disk.get(), SUPERBLOCK_OFFSET), kj::Exception);
}

}  // namespace
}  // namespace bothy
