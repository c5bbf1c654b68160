#include "vm/machine-files.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/async-io.h>
#include <kj/debug.h>
#include <kj/filesystem.h>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <filesystem>

#include "loop/child-process.h"
#include "loop/signals.h"

namespace bothy {
namespace {

constexpr uint32_t USER = 965540;
constexpr uint32_t OTHER_USER = 965541;
constexpr uint32_t SHARED_GROUP = 965542;

struct Fixture {
  Fixture() : io((captureSignals(), kj::setupAsyncIo())), reaper(io.unixEventPort) {
    char name[] = "/tmp/bothy-files-XXXXXX";
    KJ_REQUIRE(mkdtemp(name) != nullptr);
    root = kj::str(name);
    KJ_SYSCALL(chmod(name, 0711));
    spec.uid = USER;
    spec.dataDisk = kj::str(root, "/disk");
    spec.secret = kj::heapArray("secret"_kj.asBytes());
    spec.runtimeDir = kj::str(root, "/machine");
    KJ_SYSCALL(mkdir(spec.runtimeDir.cStr(), 0700));
    auto fs = kj::newDiskFilesystem();
    fs->getRoot().openFile(fs->getCurrentPath().evalNative(spec.dataDisk), kj::WriteMode::CREATE);
  }
  ~Fixture() { std::filesystem::remove_all(root.cStr()); }

  bool succeeds(kj::StringPtr program, kj::Array<kj::String> arguments, ChildSpec::Owner owner) {
    auto child = ChildProcess::spawn(
        io.unixEventPort, reaper,
        ChildSpec{program, kj::mv(arguments), owner, nullptr, ChildSpec::Lifetime::OWNED});
    return child->onExit().wait(io.waitScope) == 0;
  }
  // Whether a process that runs as them finds the secret.
  bool passes(uint32_t user, uint32_t group) {
    return succeeds("/usr/bin/test", kj::arr(kj::str("-e"), MachineFiles(spec.runtimeDir).secret()),
                    {user, group});
  }

  kj::AsyncIoContext io;
  Subreaper reaper;
  kj::String root;
  VmSpec spec{};
};

TEST_CASE("S20 a machine's user passes to its files, and no other does") {
  if (getuid() != 0) SKIP("machines run as users of their own, which takes root");
  Fixture f;
  MachineFiles(f.spec.runtimeDir).prepare(f.spec);
  CHECK(f.passes(USER, USER));
  CHECK_FALSE(f.passes(OTHER_USER, OTHER_USER));
}

TEST_CASE("S20 the files of a machine are made, and its disk is left to whom it was given") {
  if (getuid() != 0) SKIP("machines run as users of their own, which takes root");
  Fixture f;
  MachineFiles(f.spec.runtimeDir).prepare(f.spec);
  struct stat stats;
  KJ_SYSCALL(stat(f.spec.dataDisk.cStr(), &stats));
  CHECK(stats.st_uid == 0);
}

TEST_CASE("S20 a group that all QEMUs have lets none of them pass to another's files") {
  if (getuid() != 0) SKIP("machines run as users of their own, which takes root");
  Fixture f;
  MachineFiles(f.spec.runtimeDir).prepare(f.spec);
  CHECK(f.passes(USER, SHARED_GROUP));
  // Its vsock device.
  CHECK(f.passes(USER, USER));
  CHECK_FALSE(f.passes(OTHER_USER, SHARED_GROUP));
  CHECK_FALSE(f.passes(OTHER_USER, OTHER_USER));
}

TEST_CASE("S01 S20 a machine's user makes nothing in its runtime directory") {
  if (getuid() != 0) SKIP("machines run as users of their own, which takes root");
  Fixture f;
  // An earlier bothyd gave it to the user.
  auto vsock = kj::str(f.spec.runtimeDir, "/vsock");
  if (GENERATE(false, true)) {
    KJ_SYSCALL(mkdir(vsock.cStr(), 0700));
    KJ_SYSCALL(chown(vsock.cStr(), USER, USER));
  }
  MachineFiles(f.spec.runtimeDir).prepare(f.spec);
  for (auto& place : {f.spec.runtimeDir.asPtr(), vsock.asPtr()}) {
    INFO(place.cStr());
    CHECK_FALSE(f.succeeds("/usr/bin/mkdir", kj::arr(kj::str(place, "/deep")), {USER, USER}));
  }
  CHECK(f.succeeds("/usr/bin/test", kj::arr(kj::str("-x"), kj::str(vsock)), {USER, USER}));
}

}  // namespace
}  // namespace bothy
