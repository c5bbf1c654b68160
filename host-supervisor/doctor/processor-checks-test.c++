#include "doctor/processor-checks.h"

#include <catch2/catch_test_macros.hpp>

#include "doctor/test-host.h"

namespace bothy {
namespace {

TEST_CASE("S24 threads that share a core are warned of, and so is a kernel that does not tell") {
  TestHost host;
  CHECK(checkSmt(host).verdict == Verdict::WARN);
  CHECK(isWhole(checkSmt(host)));
  host.files["/sys/devices/system/cpu/smt/active"] = "1";
  CHECK(checkSmt(host).verdict == Verdict::WARN);
  CHECK(contains(checkSmt(host).advice, "nosmt"));
  host.files["/sys/devices/system/cpu/smt/active"] = "0";
  CHECK(checkSmt(host).verdict == Verdict::OK);
  CHECK(isWhole(checkSmt(host)));
}

TEST_CASE("S24 flaws of the processor that are not mended are named") {
  TestHost host;
  CHECK(checkProcessorFlaws(host).verdict == Verdict::WARN);
  auto flaw = [&](const char* name) -> std::string& {
    return host.files[std::string("/sys/devices/system/cpu/vulnerabilities/") + name];
  };
  flaw("mds") = "Mitigation: Clear CPU buffers; SMT vulnerable";
  flaw("l1tf") = "Not affected";
  CHECK(checkProcessorFlaws(host).verdict == Verdict::OK);
  CHECK(isWhole(checkProcessorFlaws(host)));

  flaw("retbleed") = "Vulnerable";
  flaw("spectre_v2") = "Mitigation: Retpolines; BHI: Vulnerable";
  auto finding = checkProcessorFlaws(host);
  CHECK(finding.verdict == Verdict::WARN);
  CHECK(finding.found == "not mended: retbleed, spectre_v2");
  CHECK(isWhole(finding));
}

}  // namespace
}  // namespace bothy
