#include "tree/archive-unpack.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch_test_macros.hpp>

#include <thread>

#include "tree/archive-pack.h"
#include "tree/disk-blocks.h"
#include "tree/test-directory.h"
#include "tree/test-tar.h"

namespace bothy {
namespace {

using Reason = FileProblem::Reason;
using Duplicates = TreeWriter::Duplicates;

kj::AutoCloseFd inMemory(kj::ArrayPtr<const kj::byte> bytes) {
  int fd;
  KJ_SYSCALL(fd = memfd_create("archive", MFD_CLOEXEC));
  kj::AutoCloseFd owned(fd);
  kj::FdOutputStream(fd).write(bytes.begin(), bytes.size());
  KJ_SYSCALL(lseek(fd, 0, SEEK_SET));
  return owned;
}

// A target directory and, beside it, what an attacker is after.
struct Target {
  TestDirectory world;
  TreeProgress progress;
  UnpackOptions options;

  Target() {
    world.makeDirectory("target");
    world.makeDirectory("outside");
    world.write("outside/secret", "secret");
  }

  kj::Maybe<FileProblem> unpackFd(int fd, Duplicates duplicates) {
    int root;
    KJ_SYSCALL(root = open(world.at("target").cStr(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    kj::AutoCloseFd owned(root);
    TreeWriter writer(root, duplicates);
    KJ_IF_MAYBE (problem, unpackArchive(fd, writer, options, progress)) return kj::mv(*problem);
    return writer.finish(root);
  }
  kj::Maybe<FileProblem> unpack(kj::ArrayPtr<const kj::byte> archive,
                                Duplicates duplicates = Duplicates::REFUSE) {
    auto fd = inMemory(archive);
    return unpackFd(fd.get(), duplicates);
  }
  // True if the archive was refused as hostile with nothing outside of the target touched.
  bool refuses(TestTar& tar) {
    auto problem = unpack(tar.finish());
    CHECK(outsideIsUntouched());
    KJ_IF_MAYBE (p, problem) {
      INFO(p->message.cStr());
      CHECK(p->reason == Reason::INVALID_ARCHIVE);
      return true;
    }
    return false;
  }
  bool outsideIsUntouched() {
    size_t top = 0;
    for (auto& entry : std::filesystem::directory_iterator(world.path.cStr())) {
      (void)entry;
      ++top;
    }
    auto status = world.status("outside/secret");
    return top == 2 && world.read("outside/secret") == "secret" && status.st_nlink == 1 &&
           (status.st_mode & 07777) == 0644 &&
           std::distance(std::filesystem::directory_iterator(world.at("outside").cStr()), {}) == 1;
  }
};

TEST_CASE("S06 a name with .. is refused") {
  Target target;
  TestTar tar;
  CHECK(target.refuses(tar.file("../outside/secret", "x")));
}

TEST_CASE("S06 a name with .. in its middle is refused") {
  Target target;
  TestTar tar;
  CHECK(target.refuses(tar.directory("a").file("a/../../outside/secret", "x")));
}

TEST_CASE("S06 an absolute name is refused") {
  Target target;
  TestTar tar;
  CHECK(target.refuses(tar.file(target.world.at("outside/secret"), "x")));
}

TEST_CASE("S06 nothing is written through a symlink that came before") {
  Target target;
  TestTar tar;
  CHECK(target.refuses(tar.symlink("d", "../outside").file("d/secret", "x")));
}

TEST_CASE("S06 a name that comes as a symlink and then as a directory is refused") {
  Target target;
  TestTar tar;
  CHECK(target.refuses(tar.symlink("d", "../outside").directory("d").file("d/secret", "x")));
}

TEST_CASE("S06 a name that comes as a symlink and then as a file is refused") {
  Target target;
  TestTar tar;
  CHECK(target.refuses(tar.symlink("f", "../outside/secret").file("f", "x")));
}

TEST_CASE("S06 a file that comes twice is refused") {
  Target target;
  TestTar tar;
  CHECK(target.refuses(tar.file("f", "one").file("./f", "two")));
}

TEST_CASE("S06 a symlink that was there already is not followed") {
  Target target;
  KJ_SYSCALL(symlink("../outside", target.world.at("target/d").cStr()));
  TestTar tar;
  CHECK(target.refuses(tar.directory("d").file("d/secret", "x")));

  // As the last component it is replaced, not followed.
  Target other;
  KJ_SYSCALL(symlink("../outside/secret", other.world.at("target/f").cStr()));
  CHECK(other.unpack(TestTar().file("f", "x").finish()) == nullptr);
  CHECK(other.outsideIsUntouched());
  CHECK(other.world.read("target/f") == "x");
}

TEST_CASE("S06 a directory that becomes a symlink during the copy leads nowhere") {
  Target target;
  int ends[2];
  KJ_SYSCALL(pipe2(ends, O_CLOEXEC));
  kj::AutoCloseFd readEnd(ends[0]);
  kj::AutoCloseFd writeEnd(ends[1]);
  kj::Maybe<FileProblem> problem;
  std::thread unpacking([&] { problem = target.unpackFd(readEnd.get(), Duplicates::REFUSE); });
  {
    kj::FdOutputStream archive(kj::mv(writeEnd));
    auto first = TestTar().directory("d").directory("d/e").file("d/first", "1").take();
    archive.write(first.begin(), first.size());
    // Enough that libarchive hands out what came before it.
    auto filler = kj::str(kj::repeat('x', 300000));
    auto second = TestTar().file("filler", filler).take();
    archive.write(second.begin(), second.size());
    KJ_ASSERT(rename(target.world.at("target/d").cStr(), target.world.at("target/was").cStr()) ==
              0);
    KJ_SYSCALL(symlink("../outside", target.world.at("target/d").cStr()));
    auto third = TestTar().file("d/secret", "x").file("d/e/f", "x").finish();
    archive.write(third.begin(), third.size());
  }
  unpacking.join();
  CHECK(problem != nullptr);
  CHECK(target.outsideIsUntouched());
}

TEST_CASE("S06 a hard link to a file outside, or to one that did not come before, is refused") {
  Target target;
  TestTar absolute;
  CHECK(target.refuses(absolute.hardLink("f", target.world.at("outside/secret"))));
  TestTar climbing;
  CHECK(target.refuses(climbing.hardLink("g", "../outside/secret")));
  TestTar throughLink;
  CHECK(target.refuses(throughLink.symlink("d", "../outside").hardLink("h", "d/secret")));
  target.world.write("target/mine", "mine");
  TestTar local;
  CHECK(target.refuses(local.hardLink("i", "mine")));
}

TEST_CASE("S06 devices and FIFOs are refused") {
  for (char type : {'3', '4', '6'}) {
    Target target;
    TestTar tar;
    CHECK(target.refuses(tar.special("node", type)));
    CHECK_FALSE(target.world.has("target/node"));
  }
}

TEST_CASE("S06 setuid, setgid and the sticky bit are dropped") {
  Target target;
  CHECK(target.unpack(TestTar().file("f", "x", 06755).directory("d", 07777).finish()) == nullptr);
  CHECK((target.world.status("target/f").st_mode & 07777) == 0755);
  CHECK((target.world.status("target/d").st_mode & 07777) == 0777);
}

TEST_CASE("S06 a name with a NUL leads nowhere") {
  Target target;
  constexpr char NAME[] = "ok\0/../../outside/secret";
  auto tar = TestTar().paxPath(kj::arrayPtr(NAME, sizeof(NAME) - 1)).file("short", "x").finish();
  target.unpack(tar);
  CHECK(target.outsideIsUntouched());
}

TEST_CASE("S06 names of 4,096 bytes are refused, in one component and in many") {
  auto flat = kj::str(kj::repeat('n', 4096));
  kj::Vector<char> deep;
  for (int i = 0; i < 2048; i++) deep.addAll("d/"_kj);
  for (auto name : {flat.asPtr().asArray(), deep.asPtr().asConst()}) {
    Target target;
    TestTar tar;
    CHECK(target.refuses(tar.paxPath(name).file("short", "x")));
    Target gnu;
    TestTar gnuTar;
    CHECK(gnu.refuses(gnuTar.longName(kj::heapString(name)).file("short", "x")));
  }
}

TEST_CASE("S07 what is checked is what is used: a symlink may be made, and leads nobody out") {
  Target target;
  auto problem = target.unpack(TestTar()
                                   .symlink("link", "../outside/secret")
                                   .directory("d")
                                   .hardLink("d/hard", "link")
                                   .finish());
  CHECK(problem != nullptr);
  CHECK(target.outsideIsUntouched());
  CHECK(S_ISLNK(target.world.status("target/link").st_mode));
}

TEST_CASE("S11 a rar file is refused as unknown") {
  Target target;
  constexpr kj::byte RAR[] = {'R',  'a',  'r',  '!',  0x1a, 0x07, 0x00, 0xcf, 0x90, 0x73, 0x00,
                              0x00, 0x0d, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};
  target.options.compression = UnpackOptions::Compression::GZIP_AND_ZSTD;
  auto problem = target.unpack(kj::arrayPtr(RAR, sizeof(RAR)), Duplicates::REPLACE);
  CHECK(KJ_ASSERT_NONNULL(problem).reason == Reason::INVALID_ARCHIVE);
  CHECK(target.progress.entries == 0);
}

TEST_CASE("S11 an archive over the limit of entries is refused") {
  Target target;
  target.options.maxEntries = 2;
  auto problem = target.unpack(TestTar().directory("a").directory("b").directory("c").finish());
  CHECK(KJ_ASSERT_NONNULL(problem).reason == Reason::TOO_MANY_ENTRIES);
  CHECK_FALSE(target.world.has("target/c"));
}

// Compresses with the program of that name.
kj::Array<kj::byte> compress(kj::StringPtr program, kj::ArrayPtr<const kj::byte> bytes) {
  auto input = inMemory(bytes);
  auto output = inMemory(nullptr);
  pid_t pid = fork();
  KJ_ASSERT(pid >= 0);
  if (pid == 0) {
    dup2(input.get(), 0);
    dup2(output.get(), 1);
    execlp(program.cStr(), program.cStr(), "-c", nullptr);
    _exit(127);
  }
  int status;
  KJ_SYSCALL(waitpid(pid, &status, 0));
  KJ_ASSERT(status == 0, program);
  KJ_SYSCALL(lseek(output.get(), 0, SEEK_SET));
  return kj::FdInputStream(output.get()).readAllBytes();
}

TEST_CASE("S11 an archive that unpacks to more than the ratio allows is refused") {
  Target target;
  target.options.compression = UnpackOptions::Compression::GZIP_AND_ZSTD;
  auto zeros = kj::str(kj::repeat('0', 8 << 20));
  auto packed = compress("gzip", TestTar().file("bomb", zeros).finish());
  REQUIRE(packed.size() * 100 < zeros.size() - (1 << 20));
  auto problem = target.unpack(packed, Duplicates::REPLACE);
  CHECK(KJ_ASSERT_NONNULL(problem).reason == Reason::TOO_MANY_ENTRIES);
}

TEST_CASE("gzip is unpacked where it is asked for, and nowhere else") {
  auto packed = compress("gzip", TestTar().file("f", "text").finish());
  Target target;
  CHECK(target.unpack(packed) != nullptr);
  target.options.compression = UnpackOptions::Compression::GZIP_AND_ZSTD;
  CHECK(target.unpack(packed) == nullptr);
  CHECK(target.world.read("target/f") == "text");
}

TEST_CASE("an archive that is cut in the middle of a file is refused") {
  Target target;
  auto tar = TestTar().file("f", kj::str(kj::repeat('x', 4096))).finish();
  auto problem = target.unpack(tar.slice(0, 2000));
  CHECK(KJ_ASSERT_NONNULL(problem).reason == Reason::INVALID_ARCHIVE);
}

TEST_CASE("S06 an archive of more bytes than it may have is refused") {
  for (size_t bytes : {2 * DISK_BLOCK_BYTES, 2 * DISK_BLOCK_BYTES + 1}) {
    Target target;
    target.options.maxBytes = 3 * DISK_BLOCK_BYTES;  // with one for the entry
    auto problem = target.unpack(TestTar().file("f", kj::str(kj::repeat('x', bytes))).finish());
    CHECK((problem == nullptr) == (bytes == 2 * DISK_BLOCK_BYTES));
    KJ_IF_MAYBE (p, problem) CHECK(p->reason == Reason::NO_SPACE);
  }
}

TEST_CASE("S06 a byte between two holes counts as the block that it takes") {
  Target target;
  constexpr uint64_t PIECES = 64;
  // GNU.sparse 1.0: how many pieces, and of each where it begins and its length.
  kj::Vector<kj::String> map;
  map.add(kj::str(PIECES));
  for (uint64_t i = 0; i < PIECES; ++i) {
    map.add(kj::str(i * 2 * DISK_BLOCK_BYTES));
    map.add(kj::str("1"));
  }
  auto numbers = kj::str(kj::strArray(map, "\n"), "\n");
  constexpr size_t RECORD_BYTES = 512;
  auto padded = (numbers.size() + RECORD_BYTES - 1) / RECORD_BYTES * RECORD_BYTES;
  auto contents =
      kj::str(numbers, kj::repeat('\0', padded - numbers.size()), kj::repeat('x', PIECES));
  auto size = kj::str(PIECES * 2 * DISK_BLOCK_BYTES);
  auto make = [&] {
    return TestTar()
        .pax({{"GNU.sparse.major", "1"_kj},
              {"GNU.sparse.minor", "0"_kj},
              {"GNU.sparse.name", "f"_kj},
              {"GNU.sparse.realsize", size}})
        .file("sparse", contents)
        .finish();
  };
  target.options.maxBytes = (PIECES + 1) * DISK_BLOCK_BYTES;
  CHECK(target.unpack(make()) == nullptr);
  CHECK(target.world.status("target/f").st_size == PIECES * 2 * DISK_BLOCK_BYTES);

  Target other;
  other.options.maxBytes = PIECES * DISK_BLOCK_BYTES;
  auto problem = other.unpack(make());
  CHECK(KJ_ASSERT_NONNULL(problem).reason == Reason::NO_SPACE);
}

TEST_CASE("S11 an entry whose headers have no end is refused before they are held") {
  constexpr size_t RECORD_BYTES = 512;
  // An old GNU sparse file, each of whose extensions says that another follows.
  auto archive = TestTar().special("f", 'S').take();
  memcpy(archive.begin() + 257, "ustar  ", 8);
  snprintf(archive.asChars().begin() + 386, 12, "%011o",
           0);  // the first piece: where, and how long
  snprintf(archive.asChars().begin() + 398, 12, "%011o", 1);
  archive[482] = 1;  // an extension follows
  memset(archive.begin() + 148, ' ', 8);
  uint sum = 0;
  for (auto byte : archive.slice(0, RECORD_BYTES)) sum += byte;
  snprintf(archive.asChars().begin() + 148, 8, "%06o", sum);
  kj::Vector<kj::byte> bytes;
  bytes.addAll(archive.slice(0, RECORD_BYTES));
  char extension[RECORD_BYTES] = {};
  for (size_t i = 0; i < 21; ++i) {
    snprintf(extension + 24 * i, 12, "%011zo", i);
    snprintf(extension + 24 * i + 12, 12, "%011o", 1);
  }
  extension[504] = 1;
  Target target;
  for (uint64_t size = 0; size < 2 * MAX_HEADER_BYTES; size += RECORD_BYTES) {
    bytes.addAll(kj::arrayPtr(extension, RECORD_BYTES).asBytes());
  }
  auto fd = inMemory(bytes);
  auto problem = target.unpackFd(fd, Duplicates::REFUSE);
  CHECK(KJ_ASSERT_NONNULL(problem).reason == Reason::INVALID_ARCHIVE);
  CHECK(strstr(KJ_ASSERT_NONNULL(problem).message.cStr(), "bytes of headers") != nullptr);
  off_t position;
  KJ_SYSCALL(position = lseek(fd, 0, SEEK_CUR));
  constexpr uint64_t READ_AHEAD_BYTES = 1 << 20;
  CHECK(static_cast<uint64_t>(position) < MAX_HEADER_BYTES + READ_AHEAD_BYTES);
}

TEST_CASE("S06 directories that no entry names count as entries, and as blocks") {
  Target few;
  few.options.maxEntries = 3;
  auto problem = few.unpack(TestTar().file("a/b/c/d", "x").finish());
  CHECK(KJ_ASSERT_NONNULL(problem).reason == Reason::TOO_MANY_ENTRIES);
  Target small;
  small.options.maxBytes = 4 * DISK_BLOCK_BYTES;
  problem = small.unpack(TestTar().file("a/b/c/d", "x").finish());
  CHECK(KJ_ASSERT_NONNULL(problem).reason == Reason::NO_SPACE);
  Target enough;
  enough.options.maxEntries = 4;
  enough.options.maxBytes = 5 * DISK_BLOCK_BYTES;
  CHECK(enough.unpack(TestTar().file("a/b/c/d", "x").finish()) == nullptr);
}

TEST_CASE("S06 a tree that nests deeper than any that is packed is refused") {
  auto nested = [](size_t directories) {
    return kj::str(kj::repeat('d', 1), kj::strArray(kj::repeat("/d"_kj, directories - 1), ""));
  };
  Target target;
  TestTar tar;
  CHECK(target.refuses(tar.paxPath(nested(MAX_TREE_DEPTH + 1)).file("short", "x")));
  CHECK(target.unpack(TestTar().paxPath(nested(MAX_TREE_DEPTH)).file("short", "x").finish()) ==
        nullptr);
}

}  // namespace
}  // namespace bothy
