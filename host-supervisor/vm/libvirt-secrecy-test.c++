// What the host can read of a machine.
#include <string.h>
#include <sys/stat.h>

#include <kj/encoding.h>
#include <kj/vector.h>

#include <algorithm>
#include <vector>

#include "vm/testing/driver-fixture.h"

namespace bothy {
namespace {

namespace stdfs = std::filesystem;

constexpr kj::StringPtr CANARY = "a canary that the guest writes to its disk"_kj;

// Bytes, and the forms in which somebody may write them down.
class Needle final {
public:
  explicit Needle(kj::ArrayPtr<const kj::byte> bytes) {
    add(bytes);
    auto hex = kj::encodeHex(bytes);
    add(hex.asBytes());
    for (auto& c : hex) c = c >= 'a' ? c - 'a' + 'A' : c;
    add(hex.asBytes());
    // Wherever it begins within a group of three, all but its ends stand in base64 as they are here.
    for (size_t shift = 0; shift < 3; shift++) {
      auto shifted = kj::heapArray<kj::byte>(bytes.size() + shift);
      memset(shifted.begin(), 'x', shift);
      memcpy(shifted.begin() + shift, bytes.begin(), bytes.size());
      auto encoded = kj::encodeBase64(shifted);
      add(encoded.asBytes().slice(4, encoded.size() - 4));
    }
  }

  bool isIn(const std::string& content) const {
    for (auto& form : forms) {
      if (memmem(content.data(), content.size(), form.begin(), form.size()) != nullptr) return true;
    }
    return false;
  }

private:
  kj::Vector<kj::Array<const kj::byte>> forms;

  void add(kj::ArrayPtr<const kj::byte> form) { forms.add(kj::heapArray(form)); }
};

// Where on the host one of the needles is: in files of the driver, of its machines and of libvirt, and in what
// processes are started with.
std::vector<std::string> placesOf(Bed& b, const std::vector<const Needle*>& needles) {
  std::vector<std::string> places;
  size_t searched = 0;
  auto search = [&](const stdfs::path& path) {
    searched++;
    auto content = slurp(kj::StringPtr(path.c_str()));
    for (auto needle : needles) {
      if (needle->isIn(content)) places.push_back(path.string());
    }
  };
  for (auto directory : {b.bed.directory.cStr(), "/run/libvirt", "/var/lib/libvirt", "/dev/shm"}) {
    if (!stdfs::exists(directory)) continue;
    for (auto& entry : stdfs::recursive_directory_iterator(directory)) {
      if (entry.is_regular_file() && !entry.is_symlink()) search(entry.path());
    }
  }
  for (auto& entry : stdfs::directory_iterator("/proc")) {
    if (atoi(entry.path().filename().c_str()) == 0) continue;
    search(entry.path() / "cmdline");
    search(entry.path() / "environ");
  }
  REQUIRE(searched > 20);
  return places;
}

uint64_t allocated(kj::StringPtr path) {
  struct stat stats;
  KJ_SYSCALL(stat(path.cStr(), &stats), path);
  return stats.st_blocks * uint64_t{512};
}

TEST_CASE("E01 S22 what a guest writes, and its disk's key, are nowhere on the host in clear") {
  NEEDS_ROOT();
  Bed b;
  Needle canary(CANARY.asBytes());
  auto key = MachineBed::diskKey();
  Needle diskKey(key.bytes());
  Needle passphrase(hexadecimal(key).bytes());
  auto expectNowhere = [&](const char* when) {
    INFO(when);
    CHECK(placesOf(b, {&canary, &diskKey, &passphrase}) == std::vector<std::string>());
  };
  // The search finds what is there, in each of its forms.
  auto planted = kj::str(b.bed.directory, "/planted");
  for (auto& text : {kj::str(CANARY), kj::encodeHex(key.bytes()), kj::encodeBase64(key.bytes())}) {
    std::ofstream(planted.cStr()) << "y" << text.cStr();
    CHECK(placesOf(b, {&canary, &diskKey}) == std::vector<std::string>{planted.cStr()});
  }
  stdfs::remove(planted.cStr());

  auto vm = b.start("one");
  CHECK(b.bed.ask(*vm, kj::str("!fill 4 ", CANARY, "\n")) == "done\n");
  expectNowhere("while it runs");
  vm->destroy().wait(b.scope);
  expectNowhere("when it was ended");

  // It is there all the same.
  vm = b.start("one");
  CHECK(b.bed.ask(*vm, "!peek").startsWith(CANARY));
  kill(vm->qemuPid(), SIGABRT);  // whose default is a core
  CHECK(b.endOf(*vm) == VmEnd::EXITED);
  expectNowhere("when QEMU has aborted");
}

TEST_CASE("S22 what libvirt deciphers a disk's key with is erased when QEMU has it") {
  NEEDS_ROOT();
  Bed b;
  auto vm = b.start("one");
  int found = 0;
  for (auto& entry : stdfs::recursive_directory_iterator(b.bed.driverRuntimeDir().cStr())) {
    if (entry.path().filename() != "master-key.aes") continue;
    found++;
    CHECK(slurp(kj::StringPtr(entry.path().c_str())) == std::string(32, '\0'));
  }
  CHECK(found == 1);
}

TEST_CASE("S17 S22 libvirt's files are no other user's, and those of a machine go with it") {
  NEEDS_ROOT();
  Bed b;
  auto names = [&]() {
    std::vector<std::string> found;
    for (auto& entry : stdfs::recursive_directory_iterator(b.bed.driverRuntimeDir().cStr())) {
      found.push_back(entry.path().string());
    }
    std::sort(found.begin(), found.end());
    return found;
  };
  // Nothing is for others, but the way through directories.
  auto expectPrivate = [&](std::string directory) {
    size_t entries = 0;
    for (auto& entry : stdfs::recursive_directory_iterator(directory)) {
      struct stat stats;
      if (lstat(entry.path().c_str(), &stats) < 0) continue;  // gone meanwhile
      entries++;
      if (S_ISLNK(stats.st_mode)) continue;  // it has no mode of its own
      INFO(entry.path().string() << " has mode " << std::oct << stats.st_mode);
      CHECK((stats.st_mode & 0007 & (S_ISDIR(stats.st_mode) ? 0006 : 0007)) == 0);
      // A group that is no user's own.
      bool isGroupsOwn = stats.st_gid == 0 || stats.st_gid >= BED_FIRST_UID;
      CHECK((stats.st_mode & (isGroupsOwn ? 0 : 0070)) == 0);
    }
    return entries;
  };
  // What libvirt makes once and keeps.
  b.start("first")->destroy().wait(b.scope);
  auto before = names();

  auto vm = b.start("one");
  auto during = names();
  CHECK(during.size() >= before.size() + 4);
  CHECK(expectPrivate(b.bed.driverRuntimeDir().cStr()) == during.size());
  CHECK(expectPrivate(b.bed.runtimeDir("one").cStr()) >= 3);
  auto abilities = kj::str(b.bed.directory, "/qemu-abilities");
  CHECK(expectPrivate(abilities.cStr()) >= 3);
  CHECK((stdfs::status(abilities.cStr()).permissions() & stdfs::perms(0077)) == stdfs::perms::none);
  // Only the way to the machine's own directory is open to its user.
  for (auto& path : during) {
    struct stat stats;
    if (lstat(path.c_str(), &stats) < 0 || S_ISLNK(stats.st_mode)) continue;
    if ((stats.st_mode & 0001) == 0) continue;
    auto below = path.substr(b.bed.driverRuntimeDir().size());
    INFO(below);
    bool isOnTheWay = below == "/libvirt" || below.starts_with("/libvirt/lib");
    CHECK(isOnTheWay);
  }
  vm->destroy().wait(b.scope);
  CHECK(names() == before);
  expectPrivate(b.bed.driverRuntimeDir().cStr());
  b.checkNothingLeft("one");
}

TEST_CASE("P31 what a guest discards goes back to the host") {
  NEEDS_ROOT();
  Bed b;
  constexpr uint64_t MEBIBYTE = 1 << 20;
  auto vm = b.start("one");
  CHECK(b.bed.ask(*vm, "!discard") == "done\n");
  auto before = allocated(b.bed.disk("one"));
  CHECK(b.bed.ask(*vm, "!fill 32 something\n") == "done\n");
  CHECK(allocated(b.bed.disk("one")) >= before + 32 * MEBIBYTE);
  CHECK(b.bed.ask(*vm, "!discard") == "done\n");
  CHECK(allocated(b.bed.disk("one")) <= before + MEBIBYTE);
}

TEST_CASE("E02 a machine whose key does not open its disk does not start, and leaves nothing") {
  NEEDS_ROOT();
  Bed b;
  auto failure = [&](VmSpec spec) {
    return b.bed.driver->start(kj::mv(spec))
        .then([](auto) { return kj::String(); },
              [](kj::Exception&& e) { return kj::str(e.getDescription()); })
        .wait(b.scope);
  };
  auto wrong = b.bed.spec("one");
  KJ_ASSERT_NONNULL(wrong.diskKey).bytes()[0] ^= 1;
  auto text = failure(kj::mv(wrong));
  INFO(text.cStr());
  CHECK(strstr(text.cStr(), "Invalid password") != nullptr);
  b.checkNothingLeft("one");
  auto none = b.bed.spec("one");
  none.diskKey = nullptr;
  CHECK(failure(kj::mv(none)).startsWith("expected"));
  b.checkNothingLeft("one");
  auto vm = b.start("one");
  CHECK(b.bed.ask(*vm, "hello") == "hello");
}

}  // namespace
}  // namespace bothy
