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
  // Whose names only end in the same way.
  const fs::path others[] = {machines / "qemu-embed-1234-8-xabc.libvirt-qemu",
                             machines / "qemu-embed-1234-9-x-abc.libvirt-qemu", machines / "other"};
  for (auto& other : others) fs::create_directories(other);

  removeControlGroups(path, "abc");
  CHECK_FALSE(fs::exists(ours));
  for (auto& other : others) CHECK(fs::exists(other));

  removeControlGroups(path, "abc");
  removeControlGroups("/nonexistent", "abc");
}

TEST_CASE("P29 the control group of a machine is known by its name, and removed by that") {
  char path[] = "/tmp/bothy-groups-XXXXXX";
  KJ_REQUIRE(mkdtemp(path) != nullptr);
  KJ_DEFER(fs::remove_all(path));
  auto machines = fs::path(path) / "machine";
  auto ours = "qemu-embed-1234-7-a-bc.libvirt-qemu"_kj;
  fs::create_directories(machines / ours.cStr() / "emulator");
  fs::create_directories(machines / "qemu-embed-1234-8-bc.libvirt-qemu");
  fs::create_directories(machines / "other");
  CHECK(listControlGroups(path).size() == 2);
  CHECK(listControlGroups("/nonexistent").size() == 0);
  CHECK(KJ_ASSERT_NONNULL(machineOfControlGroup(ours)) == "a-bc");
  for (auto other : {"other", "qemu-7-abc.libvirt-qemu", "qemu-embed-1234.libvirt-qemu"}) {
    CHECK(machineOfControlGroup(other) == nullptr);
  }
  removeControlGroup(path, ours);
  removeControlGroup(path, ours);
  CHECK_FALSE(fs::exists(machines / ours.cStr()));
  CHECK(listControlGroups(path).size() == 1);
}

TEST_CASE("the mounts of control groups are directories") {
  for (auto& mount : controlGroupMounts()) CHECK(fs::is_directory(mount.cStr()));
}

}  // namespace
}  // namespace bothy
