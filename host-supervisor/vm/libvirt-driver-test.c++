// Real machines: each test boots at least one.
#include "vm/libvirt-driver.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <string>
#include <vector>

#include "loop/child-process.h"
#include "support/host-program.h"
#include "vm/machine-files.h"
#include "vm/testing/driver-fixture.h"

namespace bothy {
namespace {

namespace stdfs = std::filesystem;

// Another process is the supervisor: it starts the machine and is killed.
void startElsewhere(kj::StringPtr name, uint32_t number) {
  auto io = (Subreaper::prepare(), kj::setupAsyncIo());
  Subreaper reaper(io.unixEventPort);
  int ends[2];
  KJ_SYSCALL(pipe2(ends, O_CLOEXEC));
  kj::AutoCloseFd reader(ends[0]), writer(ends[1]);
  auto starter = ChildProcess::spawn(
      io.unixEventPort, reaper,
      ChildSpec{BOTHY_MACHINE_STARTER,
                kj::arr(kj::str(MachineBed::processDirectory()), kj::str(name), kj::str(number)),
                nullptr, writer.get(), ChildSpec::Lifetime::OWNED});
  writer = nullptr;
  char line[64];
  ssize_t size;
  do {
    KJ_SYSCALL(size = read(reader, line, sizeof(line)));
    KJ_REQUIRE(size > 0, "the starter failed");
  } while (line[size - 1] != '\n' || memcmp(line, "running", 7) != 0);
  starter->process().signal(SIGKILL);
  starter->onExit().wait(io.waitScope);
}

// What a boot of the host takes: its processes, and what lies on a tmpfs.
void bootHost(kj::StringPtr machine, uint32_t number) {
  std::string directory = MachineBed::processDirectory().cStr();
  while (Bed::signalAll(BED_FIRST_UID + number, SIGKILL) > 0) {
  }
  stdfs::remove_all(directory + "/runtime");
  stdfs::remove_all(directory + "/run-" + machine.cStr());
}

// The files in which libvirt keeps what it has found of QEMU, with the time of their writing.
std::vector<std::pair<std::string, stdfs::file_time_type>> abilitiesFound() {
  std::vector<std::pair<std::string, stdfs::file_time_type>> found;
  auto directory = kj::str(MachineBed::processDirectory(), "/qemu-abilities");
  for (auto& entry : stdfs::recursive_directory_iterator(directory.cStr())) {
    if (entry.path().extension() == ".xml")
      found.emplace_back(entry.path(), entry.last_write_time());
  }
  return found;
}

// First, because libvirt's embedded driver keeps its directory locked until its process ends.
TEST_CASE(
    "P41 a machine whose supervisor was killed is adopted by the next one, and one from before "
    "a boot of the host is gone") {
  NEEDS_ROOT();
  startElsewhere("before", 2);
  auto found = abilitiesFound();
  CHECK(found.size() == 1);
  bootHost("before", 2);
  startElsewhere("one", 1);
  startElsewhere("other", 3);
  // libvirt has not asked QEMU again for what it can do.
  CHECK(abilitiesFound() == found);
  Bed b;
  CHECK(b.bed.driver->users().wait(b.scope).size() == 3);

  CHECK(b.record("before").uid == BED_FIRST_UID + 2);
  CHECK(b.bed.driver->adopt(b.bed.spec("before", 2)).wait(b.scope) == nullptr);

  // libvirt names a process that is not the recorded one.
  auto record = b.record("other");
  const auto qemu = record.qemu;
  auto failureWith = [&](ProcessIdentity recorded, uint32_t user) {
    record.qemu = recorded;
    record.save(b.bed.directory);
    auto spec = b.bed.spec("other", 3);
    spec.uid = user;
    return b.bed.driver->adopt(kj::mv(spec))
        .then([](auto) { return kj::str("adopted"); },
              [](kj::Exception&& e) { return kj::str(e.getDescription()); })
        .wait(b.scope);
  };
  CHECK(qemu.startTime > 0);
  auto failure = failureWith({qemu.pid, qemu.startTime - 1}, record.uid);
  INFO(failure.cStr());
  CHECK(strstr(failure.cStr(), "not the one that was started") != nullptr);
  failure = failureWith(qemu, record.uid + 1);
  CHECK(strstr(failure.cStr(), "another user's") != nullptr);
  CHECK(kill(qemu.pid, 0) == 0);
  CHECK(failureWith(qemu, record.uid) == "adopted");

  auto vm = KJ_ASSERT_NONNULL(b.bed.driver->adopt(b.bed.spec("one")).wait(b.scope));
  CHECK(b.bed.ask(*vm, "still here") == "still here");
  CHECK(b.bed.ask(*vm, "!blast 0") == "done\n");
  if (b.bed.driver->abilities().vsock == HostAbilities::Vsock::VHOST_USER) {
    auto restored = b.witness.onRestored();
    kill(b.record("one").vsockDevice.pid, SIGKILL);
    restored.wait(b.scope);
    CHECK(b.bed.ask(*vm, "again") == "again");
  }
  b.bed.tell(*vm, "!off");
  CHECK(b.endOf(*vm) == VmEnd::POWERED_OFF);
  b.checkNothingLeft("one");
  b.checkNothingLeft("before", 2);
  CHECK(b.bed.driver->adopt(b.bed.spec("one")).wait(b.scope) == nullptr);

  vm = b.start("before", 2);
  CHECK(b.bed.ask(*vm, "hello") == "hello");
}

TEST_CASE("a machine boots with its disks and its secret, answers over vsock and powers off") {
  NEEDS_ROOT();
  Bed b;
  auto vm = b.start("one");
  CHECK(b.bed.ask(*vm, "hello") == "hello");
  CHECK(b.bed.ask(*vm, "!secret") == "only for the guest's root");
  CHECK(b.bed.ask(*vm, "!disks") == "1048576r 67108864w ");
  CHECK(b.bed.driver->start(b.bed.spec("one"))
            .then([](auto) { return false; }, [](auto&&) { return true; })
            .wait(b.scope));
  b.bed.tell(*vm, "!off");
  CHECK(b.endOf(*vm) == VmEnd::POWERED_OFF);
  vm->destroy().wait(b.scope);
  CHECK(strstr(b.bed.readConsole("one").cStr(), "guest is up") != nullptr);
  b.checkNothingLeft("one");
}

TEST_CASE("why a machine ended is told: a reboot, a crash, a destroy, a kill") {
  NEEDS_ROOT();
  Bed b;
  auto vm = b.start("one");
  b.bed.tell(*vm, "!reboot");
  CHECK(b.endOf(*vm) == VmEnd::REBOOTED);
  vm = b.start("one");
  b.bed.tell(*vm, "!crash");
  CHECK(b.endOf(*vm) == VmEnd::CRASHED);
  vm = b.start("one");
  vm->destroy().wait(b.scope);
  CHECK(b.endOf(*vm) == VmEnd::DESTROYED);
  vm = b.start("one");
  kill(vm->qemuPid(), SIGKILL);
  CHECK(b.endOf(*vm) == VmEnd::EXITED);
  b.checkNothingLeft("one");
}

TEST_CASE("a vsock device that is killed is replaced, and the guest's listener answers again") {
  NEEDS_ROOT();
  Bed b;
  if (b.bed.driver->abilities().vsock == HostAbilities::Vsock::KERNEL)
    SKIP("the kernel is the device");
  auto vm = b.start("one");
  CHECK(b.bed.ask(*vm, "before") == "before");
  auto restored = b.witness.onRestored();
  kill(b.record("one").vsockDevice.pid, SIGKILL);
  b.within(60 * kj::SECONDS, kj::mv(restored));
  CHECK(b.witness.lost == 1);
  CHECK(b.bed.ask(*vm, "after") == "after");
  // One that ends with its machine is no loss.
  int lost = b.witness.lost;
  vm->destroy().wait(b.scope);
  CHECK(b.witness.lost == lost);
  b.checkNothingLeft("one");
}

TEST_CASE("P41 the driver tells when it may end without breaking a dial off") {
  NEEDS_ROOT();
  Bed b;
  if (b.bed.driver->abilities().vsock == HostAbilities::Vsock::KERNEL)
    SKIP("the kernel is the device");
  auto vm = b.start("one");
  CHECK(b.bed.ask(*vm, "before") == "before");
  b.within(60 * kj::SECONDS, b.bed.driver->whenNotDialling());
  const pid_t device = b.record("one").vsockDevice.pid;
  stopAndWait(device);
  auto dialled = vm->dial(BED_PORT);
  CHECK_FALSE(dialled.poll(b.scope));
  auto idle = b.bed.driver->whenNotDialling();
  b.bed.io.provider->getTimer().afterDelay(50 * kj::MILLISECONDS).wait(b.scope);
  CHECK_FALSE(idle.poll(b.scope));
  kill(device, SIGCONT);
  b.within(60 * kj::SECONDS, kj::mv(idle));
  CHECK(dialled.poll(b.scope));
}

TEST_CASE(
    "P25 a vsock device that breaks while the guest's driver starts does not cut the guest off") {
  NEEDS_ROOT();
  Bed b;
  if (b.bed.driver->abilities().vsock == HostAbilities::Vsock::KERNEL)
    SKIP("the kernel is the device");
  auto vm = b.start("one");
  // Dials past the driver, which would wait: the device fails at one that comes in the wrong moment.
  auto socket = MachineFiles(b.bed.runtimeDir("one")).dialSocket();
  const kj::StringPtr request = "CONNECT 1000\n"_kj;
  while (strstr(b.bed.readConsole("one").cStr(), "guest is up") == nullptr) {
    b.scope.poll();
    int fd;
    KJ_SYSCALL(fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    kj::AutoCloseFd dial(fd);
    struct sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    KJ_REQUIRE(socket.size() < sizeof(address.sun_path));
    memcpy(address.sun_path, socket.begin(), socket.size());
    if (connect(dial, reinterpret_cast<sockaddr*>(&address), sizeof(address)) < 0) continue;
    send(dial, request.begin(), request.size(), MSG_NOSIGNAL);
  }
  CHECK(b.bed.ask(*vm, "hello") == "hello");
  vm->destroy().wait(b.scope);
  b.checkNothingLeft("one");
}

TEST_CASE("P29 who asks QEMU something is not killed with a machine") {
  NEEDS_ROOT();
  Bed b;
  auto asking = ChildProcess::spawn(b.bed.io.unixEventPort, b.bed.reaper,
                                    ChildSpec{"/bin/sleep", kj::arr(kj::str("1000")),
                                              ChildSpec::Owner{BED_FIRST_UID, BED_FIRST_UID},
                                              nullptr, ChildSpec::Lifetime::OWNED});
  auto spec = b.bed.spec("one");
  spec.kernel = kj::str(b.bed.directory, "/no-kernel");
  CHECK_THROWS(b.bed.driver->start(kj::mv(spec)).wait(b.scope));
  b.checkNothingLeft("one");
  CHECK(!asking->process().hasExited());
}

TEST_CASE("a start that fails or is dropped leaves nothing") {
  NEEDS_ROOT();
  Bed b;
  auto spec = b.bed.spec("one");
  spec.kernel = kj::str(b.bed.directory, "/no-kernel");
  CHECK_THROWS(b.bed.driver->start(kj::mv(spec)).wait(b.scope));
  b.checkNothingLeft("one");
  {
    auto dropped = b.bed.driver->start(b.bed.spec("one"));
    CHECK(!dropped.poll(b.scope));
  }
  // The next start of the name waits until the dropped one is undone.
  auto vm = b.start("one");
  CHECK(b.bed.ask(*vm, "hello") == "hello");
  CHECK(Bed::processesOf(BED_FIRST_UID + 1) <= 2);
  vm->destroy().wait(b.scope);
  b.checkNothingLeft("one");
}

TEST_CASE("P28 a machine is removed by its name, and its neighbour goes on") {
  NEEDS_ROOT();
  Bed b;
  auto stray = b.start("stray", 1);
  auto known = b.start("known", 2);
  CHECK(b.bed.driver->users().wait(b.scope).size() == 2);
  b.bed.driver->remove("stray").wait(b.scope);
  CHECK(b.endOf(*stray) == VmEnd::DESTROYED);
  b.checkNothingLeft("stray", 1);
  CHECK(b.bed.ask(*known, "hello") == "hello");
}

}  // namespace
}  // namespace bothy
