#include "vm/accelerator-probe.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/async-io.h>
#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include <filesystem>

#include "loop/signals.h"
#include "vm/probe-guest.h"

namespace bothy {
namespace {

constexpr uint32_t PROBE_USER = 965533;

struct Fixture {
  Fixture() : io((captureSignals(), kj::setupAsyncIo())), reaper(io.unixEventPort) {
    char name[] = "/tmp/bothy-probe-XXXXXX";
    KJ_REQUIRE(mkdtemp(name) != nullptr);
    directory = kj::str(name);
    KJ_SYSCALL(chmod(name, 0755));
  }
  ~Fixture() { std::filesystem::remove_all(directory.cStr()); }

  kj::String writeRom(kj::ArrayPtr<const kj::byte> bytes) {
    auto path = kj::str(directory, "/rom");
    kj::AutoCloseFd file(open(path.cStr(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    kj::FdOutputStream(file.get()).write(bytes.begin(), bytes.size());
    return path;
  }

  kj::Maybe<kj::String> run(kj::StringPtr rom, kj::Duration limit) {
    return runProbeGuest(io.unixEventPort, reaper, "/usr/bin/qemu-system-x86_64", "tcg", rom,
                         PROBE_USER, PROBE_USER, limit)
        .wait(io.waitScope);
  }

  kj::AsyncIoContext io;
  Subreaper reaper;
  kj::String directory;
};

TEST_CASE("the probe's guest reaches 64-bit mode and its cmpxchg16b") {
  if (getuid() != 0) SKIP("machines run as users of their own, which takes root");
  Fixture f;
  auto failure = f.run(f.writeRom(probeGuestRom()), 60 * kj::SECONDS);
  CHECK(failure == nullptr);
}

TEST_CASE("a guest that hangs is killed at the deadline and is a reason") {
  if (getuid() != 0) SKIP("machines run as users of their own, which takes root");
  Fixture f;
  auto rom = kj::heapArray<kj::byte>(0x10000);
  memset(rom.begin(), 0xf4, rom.size());  // hlt
  auto failure = f.run(f.writeRom(rom), 1 * kj::SECONDS);
  CHECK(failure != nullptr);
}

TEST_CASE("the finding about KVM is kept until the host boots again") {
  if (getuid() != 0) SKIP("machines run as users of their own, which takes root");
  Fixture f;
  auto probe = [&]() {
    return probeAccelerator(f.io.unixEventPort, f.reaper, "/usr/bin/qemu-system-x86_64",
                            f.directory, PROBE_USER)
        .wait(f.io.waitScope);
  };
  auto first = probe();
  auto second = probe();
  CHECK(first.accelerator == second.accelerator);
  CHECK(first.reason == second.reason);
  CHECK((first.accelerator == HostAbilities::Accelerator::KVM) == (first.reason.size() == 0));
}

}  // namespace
}  // namespace bothy
