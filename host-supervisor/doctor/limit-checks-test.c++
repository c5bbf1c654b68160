#include "doctor/limit-checks.h"

#include <catch2/catch_test_macros.hpp>

#include "doctor/test-host.h"

namespace bothy {
namespace {

constexpr const char* LIMITS_FORMAT =
    "Limit                     Soft Limit           Hard Limit           Units     \n"
    "Max processes             63304                63304                processes \n"
    "Max open files            1024                 ";

// On a host with so much memory.
Finding withLimit(const char* hard, const char* memTotalKib, uint32_t uidCount = 10000) {
  TestHost host;
  host.files["/proc/self/limits"] =
      std::string(LIMITS_FORMAT) + hard + "               files     \n";
  host.files["/proc/meminfo"] = std::string("MemTotal:       ") + memTotalKib + " kB\n";
  return checkOpenFiles(host, {kj::str("/state"), kj::str("/run"), 700000, uidCount, 1});
}

TEST_CASE("P41 too few open files for the machines that fit are warned of, with what to set") {
  auto finding = withLimit("4096", "67108864");
  CHECK(isWhole(finding));
  CHECK(finding.verdict == Verdict::WARN);
  CHECK(contains(finding.found, "4096"));
  CHECK(contains(finding.advice, "LimitNOFILE=4608"));
  CHECK(isWhole(withLimit("1048576", "67108864")));
  CHECK(withLimit("1048576", "67108864").verdict == Verdict::OK);
  CHECK(withLimit("unlimited", "67108864").verdict == Verdict::OK);
}

TEST_CASE("a small host, or one with few user ids, needs few open files") {
  CHECK(withLimit("4096", "8388608").verdict == Verdict::OK);
  CHECK(withLimit("4096", "67108864", 100).verdict == Verdict::OK);
  CHECK(checkOpenFiles(TestHost(), {}).verdict == Verdict::OK);
}

}  // namespace
}  // namespace bothy
