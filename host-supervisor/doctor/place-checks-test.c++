#include "doctor/place-checks.h"

#include <catch2/catch_test_macros.hpp>

#include "doctor/test-host.h"

namespace bothy {
namespace {

ExaminedPlaces places() {
  return {kj::str("/var/lib/bothy"), kj::str("/run/bothy"), 700000, 10000, 4ull << 30};
}

TEST_CASE("S24 who is not root is refused") {
  TestHost host;
  CHECK(checkRoot(host).verdict == Verdict::OK);
  host.uid = 1000;
  auto finding = checkRoot(host);
  CHECK(finding.verdict == Verdict::REFUSE);
  CHECK(contains(finding.found, "1000"));
  CHECK(isWhole(finding));
}

TEST_CASE("S24 a runtime directory on a disk is warned of") {
  TestHost host;
  CHECK(checkRuntimeDirectory(host, places()).verdict == Verdict::WARN);
  CHECK(isWhole(checkRuntimeDirectory(host, places())));
  host.disk = HostFacts::FileSystem{true, 1 << 30};
  CHECK(checkRuntimeDirectory(host, places()).verdict == Verdict::OK);
  host.disk = nullptr;
  CHECK(checkRuntimeDirectory(host, places()).verdict == Verdict::WARN);
}

TEST_CASE("S24 a state directory with less room than one disk, or in memory, is warned of") {
  TestHost host;
  CHECK(checkStateDirectory(host, places()).verdict == Verdict::OK);
  host.disk = HostFacts::FileSystem{false, 4ull << 30};
  CHECK(checkStateDirectory(host, places()).verdict == Verdict::OK);
  host.disk = HostFacts::FileSystem{false, (4ull << 30) - 1};
  auto finding = checkStateDirectory(host, places());
  CHECK(finding.verdict == Verdict::WARN);
  CHECK(contains(finding.found, "4095 MiB"));
  CHECK(contains(finding.advice, "4096 MiB"));
  host.disk = HostFacts::FileSystem{true, 1ull << 40};
  CHECK(checkStateDirectory(host, places()).verdict == Verdict::WARN);
  host.disk = nullptr;
  CHECK(checkStateDirectory(host, places()).verdict == Verdict::WARN);
  CHECK(isWhole(checkStateDirectory(host, places())));
}

TEST_CASE("S24 user ids of machines that somebody else has are warned of") {
  TestHost host;
  CHECK(checkUserIds(host, places()).verdict == Verdict::OK);
  host.files["/etc/passwd"] = "root:x:0:0:root:/root:/bin/bash\nbroken\n:::\nd:x:699999:1::/:/x";
  host.files["/etc/subuid"] = "user:100000:65536\nbroken:1\nnext:710002:65536";
  CHECK(checkUserIds(host, places()).verdict == Verdict::OK);

  // The last id is that of the process that kills.
  host.files["/etc/passwd"] += "\nlast:x:710001:1::/:/x\n";
  auto finding = checkUserIds(host, places());
  CHECK(finding.verdict == Verdict::WARN);
  CHECK(finding.found == "700000 to 710001, also of last (/etc/passwd)");
  CHECK(isWhole(finding));

  host.files.erase("/etc/passwd");
  host.files["/etc/subuid"] = "user:689999:10001\n";
  CHECK(checkUserIds(host, places()).verdict == Verdict::OK);
  host.files["/etc/subuid"] = "user:689999:10002\n";
  CHECK(contains(checkUserIds(host, places()).found, "also of user (/etc/subuid)"));
  host.files["/etc/subuid"] = "all:0:4294967295\n";
  CHECK(checkUserIds(host, places()).verdict == Verdict::WARN);
}

TEST_CASE("S24 of many users in the range the first are named and the others counted") {
  TestHost host;
  for (int i = 0; i < 8; i++) {
    host.files["/etc/passwd"] += "u" + std::to_string(i) + ":x:70000" + std::to_string(i) + ":1\n";
  }
  auto found = checkUserIds(host, places()).found;
  CHECK(contains(found, "u4 (/etc/passwd) and 3 more"));
  CHECK_FALSE(contains(found, "u5"));
}

}  // namespace
}  // namespace bothy
