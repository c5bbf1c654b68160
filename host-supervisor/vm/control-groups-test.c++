#include "vm/control-groups.h"

#include <stdlib.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include <filesystem>

namespace bothy {
namespace {

namespace fs = std::filesystem;

TEST_CASE("P29 the control groups of a machine that has ended are removed, and no others") {
  char path[] = "/tmp/bothy-groups-XXXXXX";
  KJ_REQUIRE(mkdtemp(path) != nullptr);
  KJ_DEFER(fs::remove_all(path));
  auto machines = fs::path(path) / "machine";
  auto ours = machines / "qemu-embed-1234-7-abc.libvirt-qemu";
  fs::create_directories(ours / "vcpu0");
  fs::create_directories(ours / "emulator");
  fs::create_directories(machines / "qemu-embed-1234-8-xabc.libvirt-qemu");
  fs::create_directories(machines / "other");

  removeControlGroups(path, "abc");
  CHECK_FALSE(fs::exists(ours));
  CHECK(fs::exists(machines / "qemu-embed-1234-8-xabc.libvirt-qemu"));
  CHECK(fs::exists(machines / "other"));

  removeControlGroups(path, "abc");
  removeControlGroups("/nonexistent", "abc");
}

TEST_CASE("the mounts of control groups are directories") {
  for (auto& mount : controlGroupMounts()) CHECK(fs::is_directory(mount.cStr()));
}

}  // namespace
}  // namespace bothy
