// Real machines whose memory is saved and goes on.
#include <sys/stat.h>
#include <unistd.h>

#include <kj/filesystem.h>

#include "loop/child-process.h"
#include "vm/testing/driver-fixture.h"

namespace bothy {
namespace {

namespace stdfs = std::filesystem;

// As long as libvirt's id of a domain.
constexpr kj::StringPtr NAME = "0123456789abcdef0123456789abcdef"_kj;
constexpr kj::StringPtr CANARY = "a canary in the memory of a guest, and nowhere else"_kj;
constexpr uint64_t MEMORY_BYTES = 192ull << 20;

// An encrypted file for a machine's memory.
MemoryFile newMemoryFile(Bed& b) {
  auto path = kj::str(b.bed.directory, "/memory-file");
  auto passphrase = kj::str(b.bed.directory, "/memory-passphrase");
  unlink(path.cStr());
  auto fs = kj::newDiskFilesystem();
  fs->getRoot()
      .openFile(fs->getCurrentPath().evalNative(passphrase),
                kj::WriteMode::CREATE | kj::WriteMode::MODIFY | kj::WriteMode::PRIVATE)
      ->writeAll(hexadecimal(MachineBed::diskKey()).bytes());
  KJ_DEFER(unlink(passphrase.cStr()));
  auto making = ChildProcess::spawn(
      b.bed.io.unixEventPort, b.bed.reaper,
      ChildSpec{"/usr/bin/qemu-img",
                kj::arr(kj::str("create"), kj::str("-q"), kj::str("-f"), kj::str("luks"),
                        kj::str("-o"), kj::str("key-secret=k,iter-time=10"),
                        kj::str("--object=secret,id=k,file=", passphrase), kj::str(path),
                        kj::str(MEMORY_BYTES)),
                nullptr, nullptr, ChildSpec::Lifetime::OWNED});
  REQUIRE(making->onExit().wait(b.scope) == 0);
  return {kj::mv(path), MachineBed::diskKey()};
}

MemoryFile again(Bed& b) {
  return {kj::str(b.bed.directory, "/memory-file"), MachineBed::diskKey()};
}

// Files of the driver, of its machines and of libvirt that have the canary.
std::vector<std::string> placesOfCanary(Bed& b) {
  std::vector<std::string> places;
  for (auto directory : {b.bed.directory.cStr(), "/run/libvirt", "/var/lib/libvirt", "/dev/shm"}) {
    if (!stdfs::exists(directory)) continue;
    for (auto& entry : stdfs::recursive_directory_iterator(
             directory, stdfs::directory_options::skip_permission_denied)) {
      std::error_code error;
      if (!entry.is_regular_file(error) || entry.is_symlink(error)) continue;
      if (entry.file_size(error) > (1ull << 30)) continue;
      auto content = slurp(kj::StringPtr(entry.path().c_str()));
      if (content.find(CANARY.cStr()) != std::string::npos) places.push_back(entry.path().string());
    }
  }
  return places;
}

TEST_CASE(
    "E01 P25 a machine's memory goes to an encrypted file, and it goes on with another user") {
  NEEDS_ROOT();
  Bed b;
  auto& driver = *b.bed.driver;
  CHECK(driver.abilities().memoryFormat.startsWith("QEMU emulator version"));
  auto vm = b.start(NAME, 1);
  CHECK(b.bed.ask(*vm, CANARY) == CANARY);
  CHECK(b.bed.ask(*vm, "!heard") == "2");
  b.within(20 * kj::SECONDS, vm->pause());
  b.within(60 * kj::SECONDS, vm->save(newMemoryFile(b)));
  vm = nullptr;
  b.checkNothingLeft(NAME, 1);
  CHECK(placesOfCanary(b).empty());

  auto spec = b.bed.spec(NAME, 2);
  vm = b.within(60 * kj::SECONDS, driver.restore(kj::mv(spec), again(b)));
  CHECK(vm->isPaused());
  CHECK(vm->user() == BED_FIRST_UID + 2);
  b.within(20 * kj::SECONDS, vm->resume());
  CHECK(b.bed.ask(*vm, "!heard") == "3");
  CHECK(b.bed.ask(*vm, "!disks").endsWith("w "));
  CHECK(placesOfCanary(b).empty());
  b.bed.tell(*vm, "!off");
  CHECK(b.endOf(*vm) == VmEnd::POWERED_OFF);
  vm = nullptr;
  b.checkNothingLeft(NAME, 2);
}

TEST_CASE("memory that cannot be read leaves no machine, and may be used until the CPUs run") {
  NEEDS_ROOT();
  Bed b;
  auto& driver = *b.bed.driver;
  auto vm = b.start(NAME, 1);
  CHECK(b.bed.ask(*vm, "hello") == "hello");
  b.within(20 * kj::SECONDS, vm->pause());
  b.within(60 * kj::SECONDS, vm->save(newMemoryFile(b)));
  vm = nullptr;

  auto wrong = again(b);
  wrong.key = Secret(32);
  CHECK_THROWS(b.within(60 * kj::SECONDS, driver.restore(b.bed.spec(NAME, 1), kj::mv(wrong))));
  b.checkNothingLeft(NAME, 1);
  CHECK_THROWS(b.within(60 * kj::SECONDS,
                        driver.restore(b.bed.spec(NAME, 1), {kj::str(b.bed.directory, "/none"),
                                                             MachineBed::diskKey()})));
  b.checkNothingLeft(NAME, 1);

  vm = b.within(60 * kj::SECONDS, driver.restore(b.bed.spec(NAME, 1), again(b)));
  b.within(20 * kj::SECONDS, vm->destroy());
  vm = b.within(60 * kj::SECONDS, driver.restore(b.bed.spec(NAME, 1), again(b)));
  b.within(20 * kj::SECONDS, vm->resume());
  CHECK(b.bed.ask(*vm, "!heard") == "2");
}

TEST_CASE("a machine that cannot be saved is paused as before") {
  NEEDS_ROOT();
  Bed b;
  auto vm = b.start(NAME, 1);
  CHECK(b.bed.ask(*vm, "hello") == "hello");
  CHECK_THROWS(b.within(20 * kj::SECONDS, vm->save(again(b))));
  b.within(20 * kj::SECONDS, vm->pause());
  auto file = newMemoryFile(b);
  KJ_SYSCALL(truncate(file.path.cStr(), 12 << 20));
  CHECK_THROWS(b.within(60 * kj::SECONDS, vm->save(kj::mv(file))));
  CHECK(vm->isPaused());
  b.within(20 * kj::SECONDS, vm->resume());
  CHECK(b.bed.ask(*vm, "!heard") == "2");
}

}  // namespace
}  // namespace bothy
