#include "boot/device-nodes.h"

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

// "group mode" of a node, or "as it is".
kj::String ruleOf(kj::StringPtr name) {
  KJ_IF_MAYBE (rule, deviceRuleOf(name)) {
    return kj::str(rule->group, ' ', kj::hex(static_cast<uint64_t>(rule->mode)));
  }
  return kj::str("as it is");
}

TEST_CASE("P43 everybody may use FUSE, tun and KVM") {
  for (auto name : {"fuse", "net/tun", "kvm"}) {
    CAPTURE(name);
    CHECK(KJ_ASSERT_NONNULL(deviceRuleOf(name)).mode == 0666);
  }
}

TEST_CASE("disks belong to their group, terminals to theirs, and nobody else writes to them") {
  for (auto name : {"vda", "vdb", "vdb1", "sda", "loop0", "loop12", "loop-control"}) {
    CAPTURE(name);
    auto& rule = KJ_ASSERT_NONNULL(deviceRuleOf(name));
    CHECK(rule.group == DISK_GROUP);
    CHECK(rule.mode == 0660);
  }
  CHECK(KJ_ASSERT_NONNULL(deviceRuleOf("ttyS0")).group == DIALOUT_GROUP);
  CHECK(KJ_ASSERT_NONNULL(deviceRuleOf("ttyS0")).mode == 0660);
  CHECK(KJ_ASSERT_NONNULL(deviceRuleOf("tty1")).mode == 0620);
  CHECK(KJ_ASSERT_NONNULL(deviceRuleOf("ptmx")).mode == 0666);
}

TEST_CASE("a node that no rule names stays as the kernel made it") {
  for (auto name : {"null", "kmsg", "mem", "hwrng", "vport0p1", "nvram", "tun", "net", "cuse"}) {
    CAPTURE(name);
    CHECK(ruleOf(name) == "as it is");
  }
}

}  // namespace
}  // namespace bothy
