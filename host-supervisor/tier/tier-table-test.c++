#include "tier/tier-table.h"

#include <catch2/catch_test_macros.hpp>

#include <kj/debug.h>

namespace bothy {
namespace {

kj::String describe(const TierTable& table, kj::StringPtr name) {
  auto& tier = KJ_REQUIRE_NONNULL(table.find(name));
  return kj::str(tier.cpus, " ", tier.memoryMib, " ", tier.diskMib, " ", tier.sessions);
}

kj::String faultOf(kj::StringPtr name, kj::StringPtr text) {
  TierTable table;
  auto fault = table.set(name, text);
  // Nothing has changed.
  CHECK(table.names() == "free, pro, team, enterprise");
  CHECK(describe(table, "free") == "1 512 2048 1");
  return kj::mv(KJ_REQUIRE_NONNULL(fault, "it is accepted", text));
}

TEST_CASE("P53 the product has four tiers") {
  TierTable table;
  CHECK(table.names() == "free, pro, team, enterprise");
  CHECK(describe(table, "free") == "1 512 2048 1");
  CHECK(describe(table, "pro") == "2 2048 10240 3");
  CHECK(describe(table, "team") == "4 4096 20480 5");
  CHECK(describe(table, "enterprise") == "8 16384 102400 10");
  CHECK(table.find("gold") == nullptr);
}

TEST_CASE("a setting changes some figures of a tier, makes one, or removes one") {
  TierTable table;
  CHECK(table.set("free", "memory=1024") == nullptr);
  CHECK(describe(table, "free") == "1 1024 2048 1");
  CHECK(table.set("gold-2", "  cpus=16\tmemory=1048576  disk=16777216 sessions=1000 ") == nullptr);
  CHECK(describe(table, "gold-2") == "16 1048576 16777216 1000");
  CHECK(table.set("gold-2", "read=100 write=50 read-operations=5000 write-operations=2000") ==
        nullptr);
  auto& gold = KJ_ASSERT_NONNULL(table.find("gold-2"));
  CHECK((gold.readMib == 100 && gold.writeMib == 50));
  CHECK((gold.readOperations == 5000 && gold.writeOperations == 2000 && gold.cpus == 16));
  CHECK(table.set("team", "none") == nullptr);
  CHECK(table.names() == "free, pro, enterprise, gold-2");
  TierTable copy(table);
  CHECK(copy.names() == table.names());
  CHECK(describe(copy, "gold-2") == "16 1048576 16777216 1000");
}

TEST_CASE("a setting that is wrong names the figure and the limit, and changes nothing") {
  CHECK(
      faultOf("Free", "cpus=1") ==
      "'Free' is no name of a tier: it must be 1 to 32 of a-z, 0-9 and '-', no '-' at either end");
  CHECK(faultOf("", "cpus=1").startsWith("'' is no name of a tier"));
  CHECK(faultOf("free-", "cpus=1").startsWith("'free-' is no name"));
  CHECK(faultOf("free", "cpus=17") == "cpus is '17': it must be a whole number from 1 to 16");
  CHECK(faultOf("free", "cpus=2 memory=128") ==
        "memory is '128': it must be a whole number from 256 to 1048576");
  CHECK(faultOf("free", "disk=") == "disk is '': it must be a whole number from 64 to 16777216");
  CHECK(faultOf("free", "sessions=4294967297") ==
        "sessions is '4294967297': it must be a whole number from 1 to 1000");
  CHECK(faultOf("free", "cpus=1 cpus=2") == "cpus is set twice; the limit is once");
  CHECK(faultOf("free", "cpu=1") ==
        "'cpu=1' is no figure of a tier; they are cpus, memory, disk, sessions, read, write, "
        "read-operations, write-operations, pause-after, warn-before, hibernate-after, "
        "expire-after, warn-expiry, session-grace, most-guest-wake, count-sessions, count-input, "
        "count-commands, count-wake-locks, each as "
        "NAME=NUMBER");
  CHECK(faultOf("free", "") ==
        "no figure is given; they are cpus, memory, disk, sessions, read, write, read-operations, "
        "write-operations, pause-after, warn-before, hibernate-after, expire-after, warn-expiry, "
        "session-grace, most-guest-wake, "
        "count-sessions, count-input, count-commands, count-wake-locks, each as NAME=NUMBER");
  CHECK(faultOf("gold", "cpus=1 memory=512 disk=1024") ==
        "sessions is missing: a new tier needs it, from 1 to 1000");
  CHECK(faultOf("gold", "none") ==
        "there is no tier gold that could be removed; there are free, pro, team, enterprise");
}

TEST_CASE("there are so many tiers at most") {
  TierTable table;
  for (size_t i = 4; i < MAX_TIERS; i++) {
    REQUIRE(table.set(kj::str("t", i), "cpus=1 memory=512 disk=64 sessions=1") == nullptr);
  }
  CHECK(KJ_ASSERT_NONNULL(table.set("more", "cpus=1 memory=512 disk=64 sessions=1")) ==
        "there are 64 tiers, the limit");
  CHECK(table.set("free", "cpus=2") == nullptr);
}

}  // namespace
}  // namespace bothy
