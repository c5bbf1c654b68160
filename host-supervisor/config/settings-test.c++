#include "config/settings.h"

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("a file sets what it names and leaves the rest at its default") {
  Settings settings;
  auto faults = readSettings(settings, "bothyd.conf",
                             "# a comment\n"
                             "state-dir = /srv/bothy   # another\n"
                             "\n"
                             "default-memory=1024\r\n"
                             "log-format = json");
  CHECK(faults.size() == 0);
  CHECK(settings.stateDir == "/srv/bothy");
  CHECK(settings.defaultMemoryMib == 1024);
  CHECK(settings.logFormat == LogFormat::JSON);
  CHECK(settings.runtimeDir == "/run/bothy");
  CHECK(settings.imagePath() == "/srv/bothy/images");
  CHECK(settings.socketPath() == "/run/bothy/bothyd.sock");
}

TEST_CASE("every fault of a file names file, line, setting and limit") {
  Settings settings;
  auto faults = readSettings(settings, "f",
                             "default-cpus = 17\n"
                             "colour = red\n"
                             "nonsense\n"
                             "state-dir = here\n"
                             "default-disk = 1\n"
                             "log-level = loud\n"
                             "uid-count = 5\n"
                             "uid-count = 6\n");
  REQUIRE(faults.size() == 7);
  CHECK(faults[0] == "f:1: default-cpus: '17' is not a whole number from 1 to 16");
  CHECK(faults[1] == "f:2: colour: there is no such setting; bothyd --help lists them");
  CHECK(faults[2] == "f:3: 'nonsense' is not of the form name = value");
  CHECK(faults[3] == "f:4: state-dir: 'here' is not an absolute path");
  CHECK(faults[4] == "f:5: default-disk: '1' is not a whole number from 64 to 16777216");
  CHECK(faults[5] == "f:6: log-level: 'loud' is none of info, warning and error");
  CHECK(faults[6] == "f:8: uid-count: it is set twice; the limit is once");
  CHECK(settings.defaultCpus == 1);
}

TEST_CASE("tiers are settings: a fault names line, figure and limit") {
  Settings settings;
  auto faults = readSettings(settings, "f",
                             "tier-free = memory=1024\n"
                             "tier-gold = cpus=4 memory=8192 disk=50000 sessions=7  # another\n"
                             "tier-team = none\n"
                             "tier-pro = cpus=99\n"
                             "tier-a_b = cpus=1\n"
                             "tier-free = cpus=2\n");
  REQUIRE(faults.size() == 3);
  CHECK(faults[0] == "f:4: tier-pro: cpus is '99': it must be a whole number from 1 to 16");
  CHECK(faults[1].startsWith("f:5: tier-a_b: 'a_b' is no name of a tier: it must be 1 to 32"));
  CHECK(faults[2] == "f:6: tier-free: it is set twice; the limit is once");
  CHECK(settings.tiers.names() == "free, pro, enterprise, gold");
  CHECK(KJ_ASSERT_NONNULL(settings.tiers.find("free")).memoryMib == 1024);
  CHECK(KJ_ASSERT_NONNULL(settings.tiers.find("gold")).sessions == 7);
}

TEST_CASE("P53 how much is promised is said in factors and MiB") {
  Settings settings;
  auto faults = readSettings(settings, "f",
                             "memory-overcommit = 1.25\n"
                             "memory-reserve = 2048\n"
                             "cpu-overcommit = 0.5\n"
                             "disk-overcommit = 3\n"
                             "disk-reserve = 10000\n");
  CHECK(faults.size() == 0);
  auto& capacity = settings.capacity;
  CHECK((capacity.memoryPercent == 125 && capacity.cpuPercent == 50));
  CHECK((capacity.diskPercent == 300 && capacity.keptDiskMib == 10000));
  CHECK(KJ_ASSERT_NONNULL(capacity.keptMemoryMib) == 2048);
  for (auto wrong : {"", "0", "0.09", "16.01", "17", "1.", "1.234", "-1", "1,5", "1.5x", ".5"}) {
    INFO(wrong);
    CHECK(KJ_ASSERT_NONNULL(set(settings, "memory-overcommit", wrong)) ==
          kj::str("'", wrong, "' is not a number from 0.1 to 16 with two decimals at most"));
  }
  CHECK(set(settings, "disk-overcommit", "0") == nullptr);
  CHECK(capacity.memoryPercent == 125);
}

TEST_CASE("numbers that no machine has are refused") {
  Settings settings;
  CHECK(set(settings, "first-uid", "99999999999999999999") != nullptr);
  CHECK(set(settings, "first-uid", "-1") != nullptr);
  CHECK(set(settings, "first-uid", "") != nullptr);
  CHECK(set(settings, "first-uid", "0") != nullptr);  // root
  CHECK(settings.firstUid == 700000);
}

TEST_CASE("a socket path that the kernel would cut is refused") {
  Settings settings;
  settings.runtimeDir = kj::str("/", kj::repeat('a', 100));
  auto faults = contradictions(settings);
  REQUIRE(faults.size() == 2);
  CHECK(faults[0].startsWith("socket: "));
  CHECK(faults[1].startsWith("session-socket: "));
}

TEST_CASE(
    "the sockets of operators and of sessions are two, and the latter's mode is one of three") {
  Settings settings;
  CHECK(contradictions(settings).size() == 0);
  CHECK(settings.sessionSocketPath() == "/run/bothy/sessions.sock");
  CHECK(set(settings, "session-socket", "/run/bothy/bothyd.sock") == nullptr);
  auto faults = contradictions(settings);
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].startsWith("session-socket: "));
  CHECK(set(settings, "session-socket-mode", "0666") == nullptr);
  CHECK(settings.sessionSocketMode == 0666);
  for (auto mode : {"0777"_kj, "666"_kj, "0606"_kj, ""_kj}) {
    CHECK(set(settings, "session-socket-mode", mode) != nullptr);
  }
  CHECK(set(settings, "max-sessions", "0") != nullptr);
  CHECK(set(settings, "max-sessions", "3") == nullptr);
  CHECK(settings.maxSessions == 3);
}

TEST_CASE("every setting is described") {
  for (auto& description : settingDescriptions()) {
    CHECK(description.help.size() > 0);
    Settings settings;
    // Known, so refused for its value.
    KJ_IF_MAYBE (fault, set(settings, description.name, "\x01")) {
      CHECK_FALSE(fault->startsWith("there is no"));
    }
  }
}

}  // namespace
}  // namespace bothy
