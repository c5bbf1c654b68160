#include "vm/machine-record.h"

#include <stdlib.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <fstream>

namespace bothy {
namespace {

struct StateDirectory {
  StateDirectory() {
    char name[] = "/tmp/bothy-records-XXXXXX";
    KJ_REQUIRE(mkdtemp(name) != nullptr);
    path = kj::str(name);
  }
  ~StateDirectory() { std::filesystem::remove_all(path.cStr()); }
  void write(kj::StringPtr text) const {
    std::filesystem::create_directories(kj::str(path, "/machines").cStr());
    std::ofstream(kj::str(path, "/machines/one").cStr()) << text.cStr();
  }
  MachineRecord load() const { return KJ_ASSERT_NONNULL(MachineRecord::load(path, "one")); }
  kj::String path;
};

TEST_CASE("P41 a machine's record names its QEMU and its vsock device for good") {
  StateDirectory state;
  MachineRecord record{kj::str("one"), kj::str("/run/a b"), 7, {11, 12}, true, {13, 14}};
  record.save(state.path);
  auto loaded = state.load();
  CHECK(loaded.name == "one");
  CHECK(loaded.runtimeDir == "/run/a b");
  CHECK(loaded.uid == 7);
  CHECK(loaded.vsockDevice == ProcessIdentity{11, 12});
  CHECK(loaded.cpusRun);
  CHECK(loaded.qemu == ProcessIdentity{13, 14});
}

TEST_CASE("P28 a record without a directory is one of a machine whose directory is not known") {
  StateDirectory state;
  MachineRecord record{kj::str("one"), nullptr, 7};
  record.save(state.path);
  auto loaded = state.load();
  CHECK(loaded.runtimeDir.size() == 0);
  CHECK(loaded.uid == 7);
}

TEST_CASE("P41 records of earlier bothyds are read") {
  StateDirectory state;
  for (auto text : {"7 11 12 /run/one", "7 11 12 1 /run/one"}) {
    state.write(text);
    auto loaded = state.load();
    INFO(text);
    CHECK(loaded.runtimeDir == "/run/one");
    CHECK(loaded.vsockDevice == ProcessIdentity{11, 12});
    CHECK(loaded.cpusRun);
    CHECK(loaded.qemu.pid == 0);
  }
  for (auto text : {"", "7", "7 11 12", "7 11 12 1 13 14", "x /run/one"}) {
    state.write(text);
    INFO(text);
    CHECK(MachineRecord::load(state.path, "one") == nullptr);
  }
}

}  // namespace
}  // namespace bothy
