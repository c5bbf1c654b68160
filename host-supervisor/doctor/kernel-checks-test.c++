#include "doctor/kernel-checks.h"

#include <catch2/catch_test_macros.hpp>

#include "doctor/test-host.h"

namespace bothy {
namespace {

TEST_CASE("S24 a kernel that is older than what was tried, or unreadable, is warned of") {
  TestHost host;
  CHECK(checkKernel(host).verdict == Verdict::WARN);
  host.files["/proc/sys/kernel/osrelease"] = "5.10.0-30-amd64";
  CHECK(checkKernel(host).verdict == Verdict::WARN);
  CHECK(isWhole(checkKernel(host)));
  for (auto release : {"6.1.0-9-amd64", "6.12.43", "10.0.0-rc1"}) {
    host.files["/proc/sys/kernel/osrelease"] = release;
    CHECK(checkKernel(host).verdict == Verdict::OK);
    CHECK(contains(checkKernel(host).found, release));
  }
}

TEST_CASE("S24 a host without FUSE is warned of") {
  TestHost host;
  CHECK(checkFuse(host).verdict == Verdict::WARN);
  CHECK(isWhole(checkFuse(host)));
  host.files["/dev/fuse"] = "";
  CHECK(checkFuse(host).verdict == Verdict::OK);
}

TEST_CASE("S24 a host that makes no network namespaces is warned of") {
  TestHost host;
  CHECK(checkNetworkNamespaces(host).verdict == Verdict::WARN);
  CHECK(isWhole(checkNetworkNamespaces(host)));
  host.files["/proc/self/ns/net"] = "";
  CHECK(checkNetworkNamespaces(host).verdict == Verdict::OK);
  host.files["/proc/sys/user/max_net_namespaces"] = "0";
  CHECK(checkNetworkNamespaces(host).verdict == Verdict::WARN);
  CHECK(contains(checkNetworkNamespaces(host).advice, "user.max_net_namespaces"));
  host.files["/proc/sys/user/max_net_namespaces"] = "1000";
  CHECK(checkNetworkNamespaces(host).verdict == Verdict::OK);
}

TEST_CASE("S24 a loose ptrace scope is warned of, and a kernel without Yama") {
  TestHost host;
  CHECK(checkPtraceScope(host).verdict == Verdict::WARN);
  CHECK(contains(checkPtraceScope(host).found, "Yama is not built in"));
  host.files["/proc/sys/kernel/yama/ptrace_scope"] = "0";
  CHECK(checkPtraceScope(host).verdict == Verdict::WARN);
  CHECK(isWhole(checkPtraceScope(host)));
  for (auto scope : {"1", "2", "3"}) {
    host.files["/proc/sys/kernel/yama/ptrace_scope"] = scope;
    CHECK(checkPtraceScope(host).verdict == Verdict::OK);
  }
}

TEST_CASE("S24 a kernel log and BPF that are open to every user are warned of") {
  TestHost host;
  CHECK(checkKernelLog(host).verdict == Verdict::WARN);
  host.files["/proc/sys/kernel/dmesg_restrict"] = "0";
  CHECK(checkKernelLog(host).verdict == Verdict::WARN);
  CHECK(isWhole(checkKernelLog(host)));
  host.files["/proc/sys/kernel/dmesg_restrict"] = "1";
  CHECK(checkKernelLog(host).verdict == Verdict::OK);

  CHECK(checkBpf(host).verdict == Verdict::OK);
  host.files["/proc/sys/kernel/unprivileged_bpf_disabled"] = "0";
  CHECK(checkBpf(host).verdict == Verdict::WARN);
  CHECK(isWhole(checkBpf(host)));
  for (auto value : {"1", "2"}) {
    host.files["/proc/sys/kernel/unprivileged_bpf_disabled"] = value;
    CHECK(checkBpf(host).verdict == Verdict::OK);
  }
}

}  // namespace
}  // namespace bothy
