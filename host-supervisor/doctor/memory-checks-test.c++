#include "doctor/memory-checks.h"

#include <catch2/catch_test_macros.hpp>

#include "doctor/test-host.h"

namespace bothy {
namespace {

constexpr const char* HEADING = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";

// The verdict on swap at these places.
Finding swapOn(TestHost& host, std::initializer_list<const char*> paths) {
  std::string table = HEADING;
  for (auto path : paths) table += std::string(path) + "  partition\t8388604\t\t0\t\t-2\n";
  host.files["/proc/swaps"] = table;
  auto finding = checkSwap(host);
  CHECK(isWhole(finding));
  return finding;
}

TEST_CASE("S22 a host without swap is well, also one whose kernel has none") {
  TestHost host;
  CHECK(checkSwap(host).verdict == Verdict::OK);
  CHECK(swapOn(host, {}).verdict == Verdict::OK);
}

TEST_CASE("S22 plain swap is warned of by name, as a partition, a file or something unknown") {
  TestHost host;
  host.devices["/dev/sda2"] = "sda2";
  CHECK(swapOn(host, {"/dev/sda2"}).verdict == Verdict::WARN);
  host.devices["/swapfile"] = "sda1";
  auto finding = swapOn(host, {"/dev/sda2", "/swapfile", "/gone\\040away"});
  CHECK(finding.verdict == Verdict::WARN);
  CHECK(finding.found == "not encrypted: /dev/sda2, /swapfile, /gone\\040away");
}

TEST_CASE("S22 swap on dm-crypt is well, below LVM too, and one plain part spoils it") {
  TestHost host;
  host.devices["/dev/dm-0"] = "dm-0";
  host.files["/sys/class/block/dm-0/dm/uuid"] = "CRYPT-PLAIN-swap";
  CHECK(swapOn(host, {"/dev/dm-0"}).verdict == Verdict::OK);

  host.devices["/dev/dm-1"] = "dm-1";
  host.files["/sys/class/block/dm-1/dm/uuid"] = "LVM-abc";
  CHECK(swapOn(host, {"/dev/dm-1"}).verdict == Verdict::WARN);
  host.files["/sys/class/block/dm-1/slaves/dm-0"] = "";
  CHECK(swapOn(host, {"/dev/dm-1"}).verdict == Verdict::OK);
  host.files["/sys/class/block/dm-1/slaves/sdb1"] = "";
  CHECK(swapOn(host, {"/dev/dm-1"}).verdict == Verdict::WARN);
  CHECK(swapOn(host, {"/dev/dm-0", "/dev/dm-1"}).found == "not encrypted: /dev/dm-1");
}

TEST_CASE("S22 devices that check and do not encrypt are plain, and a chain has an end") {
  TestHost host;
  host.devices["/dev/dm-0"] = "dm-0";
  host.files["/sys/class/block/dm-0/dm/uuid"] = "CRYPT-INTEGRITY-x";
  CHECK(swapOn(host, {"/dev/dm-0"}).verdict == Verdict::WARN);
  host.files["/sys/class/block/dm-0/slaves/dm-0"] = "";
  CHECK(swapOn(host, {"/dev/dm-0"}).verdict == Verdict::WARN);
}

TEST_CASE("S22 zram is memory, unless it has a plain disk behind it") {
  TestHost host;
  host.devices["/dev/zram0"] = "zram0";
  CHECK(swapOn(host, {"/dev/zram0"}).verdict == Verdict::OK);
  host.files["/sys/class/block/zram0/backing_dev"] = "none";
  CHECK(swapOn(host, {"/dev/zram0"}).verdict == Verdict::OK);
  host.files["/sys/class/block/zram0/backing_dev"] = "/dev/sda3";
  CHECK(swapOn(host, {"/dev/zram0"}).verdict == Verdict::WARN);
  host.devices["/dev/sda3"] = "sda3";
  CHECK(swapOn(host, {"/dev/zram0"}).verdict == Verdict::WARN);
  host.devices["/dev/sda3"] = "dm-4";
  host.files["/sys/class/block/dm-4/dm/uuid"] = "CRYPT-LUKS2-abc-name";
  CHECK(swapOn(host, {"/dev/zram0"}).verdict == Verdict::OK);
}

TEST_CASE("S22 a kernel that merges pages is warned of") {
  TestHost host;
  CHECK(checkKsm(host).verdict == Verdict::OK);
  for (auto run : {"0", "2"}) {
    host.files["/sys/kernel/mm/ksm/run"] = run;
    CHECK(checkKsm(host).verdict == Verdict::OK);
  }
  host.files["/sys/kernel/mm/ksm/run"] = "1";
  CHECK(checkKsm(host).verdict == Verdict::WARN);
  CHECK(isWhole(checkKsm(host)));
}

TEST_CASE(
    "S22 cores of bothyd are warned of, and those that a program takes whatever the limit is") {
  TestHost host;
  host.files["/proc/sys/kernel/core_pattern"] = "core";
  CHECK(checkCoreDumps(host).verdict == Verdict::OK);
  host.coreLimit = 1;
  CHECK(checkCoreDumps(host).verdict == Verdict::WARN);
  CHECK(contains(checkCoreDumps(host).advice, "LimitCORE=0"));
  host.coreLimit = 0;
  host.files["/proc/sys/kernel/core_pattern"] = "|/lib/systemd/systemd-coredump %P";
  CHECK(checkCoreDumps(host).verdict == Verdict::WARN);
  CHECK(contains(checkCoreDumps(host).found, "systemd-coredump"));
  CHECK(isWhole(checkCoreDumps(host)));
  host.files["/proc/self/coredump_filter"] = "00000033";
  CHECK(checkCoreDumps(host).verdict == Verdict::WARN);
  host.files["/proc/self/coredump_filter"] = "00000000";
  CHECK(checkCoreDumps(host).verdict == Verdict::OK);
  CHECK(isWhole(checkCoreDumps(host)));
}

}  // namespace
}  // namespace bothy
