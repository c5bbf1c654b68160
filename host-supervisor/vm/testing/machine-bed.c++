#include "vm/testing/machine-bed.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <kj/vector.h>

#include <filesystem>

#include "loop/child-process.h"
#include "loop/signals.h"
#include "vm/domain-xml.h"
#include "vm/kernel-arguments.h"

namespace bothy {
namespace {

namespace stdfs = std::filesystem;

constexpr kj::StringPtr DISK_SIZE = "64M"_kj;
constexpr uint64_t ROOT_BYTES = 1ull << 20;

// BOTHY_TEST_KERNEL, or the kernel that the images room has built.
kj::String findKernel() {
  if (const char* given = getenv("BOTHY_TEST_KERNEL")) return kj::str(given);
  kj::String newest;
  stdfs::file_time_type newestTime{};
  if (stdfs::is_directory(BOTHY_CACHE_DIR)) {
    for (auto& entry : stdfs::directory_iterator(BOTHY_CACHE_DIR)) {
      auto kernel = entry.path() / "vmlinux";
      if (entry.path().filename().string().starts_with("kernel-") && stdfs::exists(kernel) &&
          (newest.size() == 0 || stdfs::last_write_time(kernel) > newestTime)) {
        newest = kj::str(kernel.c_str());
        newestTime = stdfs::last_write_time(kernel);
      }
    }
  }
  KJ_REQUIRE(newest.size() > 0, "there is no guest kernel: build it, or set BOTHY_TEST_KERNEL");
  return newest;
}

void appendEntry(kj::Vector<kj::byte>& archive, kj::StringPtr name, uint32_t mode,
                 kj::ArrayPtr<const kj::byte> content) {
  char header[111];
  snprintf(header, sizeof(header), "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 1,
           mode, 0, 0, 1, 0, static_cast<uint32_t>(content.size()), 0, 0, 0, 0,
           static_cast<uint32_t>(name.size() + 1), 0);
  auto pad = [&]() {
    while (archive.size() % 4 != 0) archive.add(0);
  };
  archive.addAll(header, header + 110);
  archive.addAll(name.begin(), name.end());
  archive.add(0);
  pad();
  archive.addAll(content);
  pad();
}

// A "newc" archive of /init alone, QEMU's guest.
kj::Array<kj::byte> initramfs(const kj::Filesystem& fs) {
  auto init =
      fs.getRoot().openFile(fs.getCurrentPath().evalNative(BOTHY_ECHO_GUEST))->readAllBytes();
  kj::Vector<kj::byte> archive;
  appendEntry(archive, "init", 0100755, init);
  appendEntry(archive, "TRAILER!!!", 0, nullptr);
  return archive.releaseAsArray();
}

void makeFile(kj::StringPtr path, uint64_t size) {
  kj::AutoCloseFd file(open(path.cStr(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
  KJ_SYSCALL(ftruncate(file, size), path);
}

kj::AsyncIoContext setUp() {
  captureSignals();
  return kj::setupAsyncIo();
}

}  // namespace

kj::StringPtr MachineBed::processDirectory() {
  struct Directory {
    Directory() {
      char name[] = "/tmp/bothy-vm-XXXXXX";
      KJ_REQUIRE(mkdtemp(name) != nullptr);
      path = kj::str(name);
    }
    ~Directory() { stdfs::remove_all(path.cStr()); }
    kj::String path;
  };
  static Directory directory;
  return directory.path;
}

MachineBed& MachineBed::ofProcess() {
  static MachineBed bed(processDirectory(), Ownership::TEMPORARY);
  return bed;
}

Secret MachineBed::diskKey() {
  Secret key(32);
  kj::byte next = 0x51;
  for (auto& byte : key.bytes()) byte = next = next * 77 + 31;
  return key;
}

// To make one takes seconds, so each is a copy of the first.
void MachineBed::makeDisk(kj::StringPtr path) {
  auto first = kj::str(directory, "/first-disk");
  if (!stdfs::exists(first.cStr())) {
    auto fs = kj::newDiskFilesystem();
    auto passphrase = kj::str(directory, "/passphrase");
    fs->getRoot()
        .openFile(fs->getCurrentPath().evalNative(passphrase),
                  kj::WriteMode::CREATE | kj::WriteMode::PRIVATE)
        ->writeAll(hexadecimal(diskKey()).bytes());
    KJ_DEFER(unlink(passphrase.cStr()));
    auto arguments = kj::heapArrayBuilder<kj::String>(9);
    for (auto argument : {"create", "-q", "-f", "qcow2", "-o",
                          "encrypt.format=luks,encrypt.key-secret=k,encrypt.iter-time=10"}) {
      arguments.add(kj::str(argument));
    }
    arguments.add(kj::str("--object=secret,id=k,file=", passphrase));
    arguments.add(kj::str(first));
    arguments.add(kj::str(DISK_SIZE));
    auto making = ChildProcess::spawn(io.unixEventPort, reaper,
                                      ChildSpec{"/usr/bin/qemu-img", arguments.finish(), nullptr,
                                                nullptr, ChildSpec::Lifetime::OWNED});
    int status = making->onExit().wait(io.waitScope);
    KJ_REQUIRE(status == 0, "qemu-img made no disk", status);
  }
  stdfs::copy_file(first.cStr(), path.cStr());
}

MachineBed::MachineBed(kj::StringPtr directoryParam, Ownership ownership)
    : io(setUp()),
      reaper(io.unixEventPort),
      directory(kj::str(directoryParam)),
      ownership(ownership) {
  KJ_SYSCALL(chmod(directory.cStr(), 0711));
  stdfs::create_directory(driverRuntimeDir().cStr());
  KJ_SYSCALL(chmod(driverRuntimeDir().cStr(), 0711));
  LibvirtDriverSettings settings;
  settings.stateDir = kj::str(directory);
  settings.runtimeDir = driverRuntimeDir();
  settings.limits.create = 40 * kj::SECONDS;
  settings.limits.call = 8 * kj::SECONDS;
  settings.limits.kill = 7 * kj::SECONDS;
  settings.probeUser = BED_FIRST_UID;
  settings.killSender = BED_KILL_SENDER;
  driver = openLibvirtDriver(io, reaper, kj::mv(settings)).wait(io.waitScope);
}

MachineBed::~MachineBed() noexcept(false) {
  if (ownership == Ownership::TEMPORARY) {
    removeMachines();
  }
  driver = nullptr;
}

void MachineBed::removeMachines() {
  auto left = driver->users().wait(io.waitScope);
  for (auto& machine : left) driver->remove(machine.name).wait(io.waitScope);
}

VmSpec MachineBed::spec(kj::StringPtr name, uint32_t number) {
  auto fs = kj::newDiskFilesystem();
  auto initramfsPath = kj::str(directory, "/initramfs");
  auto rootImage = kj::str(directory, "/root.img");
  auto cwd = fs->getCurrentPath();
  auto mode = kj::WriteMode::CREATE | kj::WriteMode::MODIFY;
  if (!stdfs::exists(initramfsPath.cStr())) {
    fs->getRoot().openFile(cwd.evalNative(initramfsPath), mode)->writeAll(initramfs(*fs));
    makeFile(rootImage, ROOT_BYTES);
    // Machines' users cannot go everywhere that we can.
    stdfs::copy_file(findKernel().cStr(), kj::str(directory, "/vmlinux").cStr());
    KJ_SYSCALL(chmod(kj::str(directory, "/vmlinux").cStr(), 0644));
  }
  if (!stdfs::exists(disk(name).cStr())) makeDisk(disk(name));
  const uint32_t user = BED_FIRST_UID + number;
  KJ_SYSCALL(chown(disk(name).cStr(), user, user));
  KJ_SYSCALL(chmod(disk(name).cStr(), 0600));
  stdfs::create_directory(runtimeDir(name).cStr());

  VmSpec spec{};
  spec.name = kj::str(name);
  spec.cpus = 1;
  spec.memoryBytes = 128ull << 20;
  spec.kernel = kj::str(directory, "/vmlinux");
  spec.initramfs = kj::mv(initramfsPath);
  spec.rootImage = kj::mv(rootImage);
  spec.dataDisk = disk(name);
  spec.diskKey = diskKey();
  spec.uid = user;
  spec.cid = BED_FIRST_UID + number;
  spec.commandLine = kernelArguments(spec.cpus);
  spec.secret = kj::heapArray("only for the guest's root"_kj.asBytes());
  spec.runtimeDir = runtimeDir(name);
  spec.consoleLog = kj::str(directory, "/console-", name);
  return spec;
}

kj::String MachineBed::readConsole(kj::StringPtr name) {
  auto fs = kj::newDiskFilesystem();
  return fs->getRoot()
      .openFile(fs->getCurrentPath().evalNative(kj::str(directory, "/console-", name)))
      ->readAllText();
}

kj::Own<kj::AsyncIoStream> MachineBed::dialUntilUp(RunningVm& vm) {
  // Nothing tells that a guest listens but that it does.
  constexpr int ATTEMPTS = 600;
  for (int attempt = 1;; attempt++) {
    kj::Own<kj::AsyncIoStream> stream;
    KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                   stream = io.provider->getTimer()
                                .timeoutAfter(5 * kj::SECONDS, vm.dial(BED_PORT))
                                .wait(io.waitScope);
                 })) {
      if (attempt == ATTEMPTS) kj::throwFatalException(kj::mv(*exception));
      io.provider->getTimer().afterDelay(100 * kj::MILLISECONDS).wait(io.waitScope);
    } else {
      return stream;
    }
  }
}

kj::String MachineBed::ask(kj::AsyncIoStream& stream, kj::StringPtr line) {
  stream.write(line.begin(), line.size()).wait(io.waitScope);
  char answer[4096];
  size_t size = stream.tryRead(answer, 1, sizeof(answer)).wait(io.waitScope);
  return kj::heapString(answer, size);
}

kj::String MachineBed::ask(RunningVm& vm, kj::StringPtr line) {
  return ask(*dialUntilUp(vm), line);
}

void MachineBed::tell(RunningVm& vm, kj::StringPtr line) {
  auto stream = dialUntilUp(vm);
  stream->write(line.begin(), line.size()).wait(io.waitScope);
}

}  // namespace bothy
