#include "boot/mount-table.h"

#include <kj/string.h>
#include <kj/vector.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

bool isBelow(kj::StringPtr path, kj::StringPtr parent) {
  return path.startsWith(kj::str(parent, "/"));
}

kj::Vector<KernelMount> allMounts() {
  kj::Vector<KernelMount> result;
  result.addAll(kj::ArrayPtr<const KernelMount>(KERNEL_MOUNTS));
  result.addAll(kj::ArrayPtr<const KernelMount>(LATE_KERNEL_MOUNTS));
  return result;
}

TEST_CASE("a mount point comes after the mount it lies in") {
  kj::Vector<kj::StringPtr> mounted;
  for (auto& entry : allMounts()) {
    for (auto earlier : mounted) {
      CHECK_FALSE(isBelow(earlier, entry.target));
      CHECK(earlier != entry.target);
    }
    mounted.add(entry.target);
  }
}

TEST_CASE("P30 a kernel without control groups boots: the supervisor can ask what is wrong") {
  for (auto& entry : KERNEL_MOUNTS) {
    if (kj::StringPtr(entry.type) == "cgroup2") {
      CHECK(entry.need == Need::WANTED);
    }
  }
}

TEST_CASE("what is mounted late, boot does without") {
  for (auto& entry : LATE_KERNEL_MOUNTS) {
    CHECK(entry.need != Need::REQUIRED);
  }
}

TEST_CASE("every mount comes along into the real root") {
  for (auto& entry : KERNEL_MOUNTS) {
    bool moved = false;
    for (auto top : MOVED_MOUNTS) {
      moved = moved || kj::StringPtr(entry.target) == top || isBelow(entry.target, top);
    }
    CHECK(moved);
  }
}

TEST_CASE(
    "no set-uid program runs from a file system of the kernel's, and none has foreign devices") {
  for (auto& entry : allMounts()) {
    CAPTURE(entry.target);
    CHECK((entry.flags & MS_NOSUID) != 0);
    bool hasDevices =
        kj::StringPtr(entry.type) == "devtmpfs" || kj::StringPtr(entry.type) == "devpts";
    CHECK(((entry.flags & MS_NODEV) == 0) == hasDevices);
  }
}

}  // namespace
}  // namespace bothy
