#include "keys/disk-key-files.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "keys/file-replacer.h"
#include "keys/test-keyring.h"

namespace bothy {
namespace {

struct Fixture {
  TestDirectory parent;
  DiskKeyFiles files{parent.at("keys")};

  kj::String read(kj::StringPtr name) { return parent.read(kj::str("keys/", name)); }
  bool has(kj::StringPtr name) { return parent.has(kj::str("keys/", name)); }
  int mode(kj::StringPtr name) { return parent.status(name).st_mode & 07777; }
};

TEST_CASE("the directory is made 0700, and a looser one is closed") {
  TestDirectory parent;
  parent.makeDirectory("keys");
  DiskKeyFiles files(parent.at("keys"));
  CHECK((parent.status("keys").st_mode & 07777) == 0700);
}

TEST_CASE("files are 0600 whatever the umask says, and never written over") {
  Fixture f;
  mode_t old = umask(0277);
  KJ_DEFER(umask(old));
  f.files.write("a", "first"_kj.asBytes());
  CHECK(f.mode("keys/a") == 0600);
  CHECK_THROWS(f.files.write("a", "second"_kj.asBytes()));
  CHECK(f.read("a") == "first");
}

TEST_CASE("a second keyring on one directory is refused while the first lives") {
  TestDirectory parent;
  {
    DiskKeyFiles first(parent.at("keys"));
    CHECK(says(failureOf([&]() { DiskKeyFiles second(parent.at("keys")); }),
               "another process uses this keyring"));
  }
  DiskKeyFiles third(parent.at("keys"));
}

TEST_CASE("a directory of somebody else, and one behind a link, are refused") {
  TestDirectory parent;
  parent.makeDirectory("keys");
  KJ_SYSCALL(symlink(parent.at("keys").cStr(), parent.at("link").cStr()));
  CHECK_THROWS(DiskKeyFiles(parent.at("link")));
  if (geteuid() == 0) {
    KJ_SYSCALL(chown(parent.at("keys").cStr(), 12345, 12345));
    CHECK(says(failureOf([&]() { DiskKeyFiles files(parent.at("keys")); }),
               "it belongs to user 12345"));
  }
  CHECK_THROWS(DiskKeyFiles(parent.at("no/parent")));
}

TEST_CASE("reading refuses what is too large or no file, and knows what is missing") {
  Fixture f;
  CHECK(f.files.read("a", 10) == nullptr);
  f.files.write("a", "0123456789"_kj.asBytes());
  CHECK(KJ_ASSERT_NONNULL(f.files.read("a", 10)) == "0123456789"_kj.asBytes());
  CHECK(says(failureOf([&]() { f.files.read("a", 9); }), "the limit is 9"));
  KJ_SYSCALL(mkfifo(f.parent.at("keys/fifo").cStr(), 0600));
  CHECK(says(failureOf([&]() { f.files.read("fifo", 10); }), "no regular file"));
  KJ_SYSCALL(symlink("a", f.parent.at("keys/link").cStr()));
  CHECK_THROWS(f.files.read("link", 10));
  CHECK_THROWS(f.files.wipe("link"));
  CHECK(f.read("a") == "0123456789");
}

TEST_CASE("wiping overwrites a file of any size and keeps its size") {
  Fixture f;
  for (size_t size : {1, 64 * 1024, 64 * 1024 + 1}) {
    auto content = kj::heapArray<kj::byte>(size);
    memset(content.begin(), 'x', size);
    f.files.write("a", content);
    f.files.wipe("a");
    memset(content.begin(), 0, size);
    CHECK(KJ_ASSERT_NONNULL(f.files.read("a", size)) == content);
    f.files.remove("a");
  }
  f.files.wipe("a");
  f.files.remove("a");
  CHECK_FALSE(f.has("a"));
}

TEST_CASE("two names of one file are told from two files") {
  Fixture f;
  CHECK_FALSE(f.files.link("a", "b"));
  f.files.write("a", "x"_kj.asBytes());
  CHECK(f.files.link("a", "b"));
  CHECK_THROWS(f.files.link("a", "b"));
  f.files.write("c", "x"_kj.asBytes());
  CHECK(f.files.isSameFile("a", "b"));
  CHECK_FALSE(f.files.isSameFile("a", "c"));
  CHECK_FALSE(f.files.isSameFile("a", "none"));
  CHECK_FALSE(f.files.isSameFile("none", "a"));
}

TEST_CASE("a file system without space is OVERLOADED") {
  if (geteuid() != 0) SKIP("mounting wants root");
  TestDirectory parent;
  parent.makeDirectory("small");
  KJ_SYSCALL(mount("tmpfs", parent.at("small").cStr(), "tmpfs", 0, "size=64k"));
  KJ_DEFER(umount2(parent.at("small").cStr(), MNT_DETACH));
  DiskKeyFiles files(parent.at("small/keys"));
  auto content = kj::heapArray<kj::byte>(1024 * 1024);
  memset(content.begin(), 1, content.size());
  auto failure = failureOf([&]() { files.write("a", content); });
  CHECK(failure.getType() == kj::Exception::Type::OVERLOADED);
  CHECK(says(failure, "small/keys/a"));
}

TEST_CASE("a replacement leaves one file, and what it replaced is overwritten") {
  Fixture f;
  FileReplacer replacer(f.files);
  replacer.replace("a", "first"_kj.asBytes());
  int fd;
  KJ_SYSCALL(fd = ::open(f.parent.at("keys/a").cStr(), O_RDONLY | O_CLOEXEC));
  kj::AutoCloseFd held(fd);
  replacer.replace("a", "second"_kj.asBytes());
  CHECK(f.read("a") == "second");
  CHECK(f.read("a.old") == "first");
  replacer.discardOld("a");
  CHECK_FALSE(f.has("a.old"));
  char content[6] = {};
  CHECK(pread(held, content, sizeof(content), 0) == 5);
  CHECK(kj::arrayPtr(content, 5) == kj::arrayPtr("\0\0\0\0\0", 5));
}

TEST_CASE("a replacement that is taken back leaves the old file, and the new one is overwritten") {
  Fixture f;
  FileReplacer replacer(f.files);
  replacer.replace("a", "first"_kj.asBytes());
  replacer.replace("a", "second"_kj.asBytes());
  int fd;
  KJ_SYSCALL(fd = ::open(f.parent.at("keys/a").cStr(), O_RDONLY | O_CLOEXEC));
  kj::AutoCloseFd held(fd);
  replacer.restore("a");
  CHECK(f.read("a") == "first");
  CHECK_FALSE(f.has("a.old"));
  CHECK_FALSE(f.has("a.new"));
  char content[6] = {};
  CHECK(pread(held, content, sizeof(content), 0) == 6);
  CHECK(kj::arrayPtr(content, 6) == kj::arrayPtr("\0\0\0\0\0\0", 6));
}

}  // namespace
}  // namespace bothy
