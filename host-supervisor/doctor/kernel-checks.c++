#include "doctor/kernel-checks.h"

#include "doctor/version-number.h"

namespace bothy {
namespace {

// Debian 12's; older ones were not tried.
constexpr VersionNumber OLDEST_KERNEL{6, 1, 0};

constexpr kj::StringPtr RELEASE = "/proc/sys/kernel/osrelease"_kj;
constexpr kj::StringPtr FUSE = "/dev/fuse"_kj;
constexpr kj::StringPtr NAMESPACE = "/proc/self/ns/net"_kj;
constexpr kj::StringPtr NAMESPACE_LIMIT = "/proc/sys/user/max_net_namespaces"_kj;
constexpr kj::StringPtr PTRACE_SCOPE = "/proc/sys/kernel/yama/ptrace_scope"_kj;
constexpr kj::StringPtr DMESG = "/proc/sys/kernel/dmesg_restrict"_kj;
constexpr kj::StringPtr BPF = "/proc/sys/kernel/unprivileged_bpf_disabled"_kj;

}  // namespace

Finding checkKernel(const HostFacts& facts) {
  constexpr kj::StringPtr NAME = "kernel"_kj;
  auto release = facts.text(RELEASE).orDefault(kj::String());
  KJ_IF_MAYBE (version, VersionNumber::firstIn(release)) {
    if (!(*version < OLDEST_KERNEL)) return good(NAME, kj::str("Linux ", release));
  }
  return warning(NAME, kj::str("Linux ", release),
                 kj::str("bothyd is not tried with kernels older than ", OLDEST_KERNEL));
}

Finding checkFuse(const HostFacts& facts) {
  if (facts.exists(FUSE)) return good("fuse", kj::str(FUSE));
  return warning(
      "fuse", kj::str("there is no ", FUSE),
      "load the kernel's module fuse: the encrypted memory of a machine that hibernates is "
      "written through it");
}

Finding checkNetworkNamespaces(const HostFacts& facts) {
  constexpr kj::StringPtr NAME = "network-namespaces"_kj;
  constexpr kj::StringPtr WHY = "a network of a user's own needs them"_kj;
  if (!facts.exists(NAMESPACE)) {
    return warning(NAME, kj::str("the kernel has none"),
                   kj::str(WHY, ": run a kernel with CONFIG_NET_NS"));
  }
  KJ_IF_MAYBE (limit, facts.text(NAMESPACE_LIMIT)) {
    if (*limit == "0") {
      return warning(NAME, kj::str("none may be made: user.max_net_namespaces is 0"),
                     kj::str(WHY, ": raise user.max_net_namespaces to one for each user"));
    }
    return good(NAME, kj::str("at most ", *limit));
  }
  return good(NAME, kj::str("there are"));
}

Finding checkPtraceScope(const HostFacts& facts) {
  constexpr kj::StringPtr NAME = "ptrace-scope"_kj;
  KJ_IF_MAYBE (scope, facts.text(PTRACE_SCOPE)) {
    if (*scope != "0") return good(NAME, kj::str(*scope));
    return warning(
        NAME, kj::str("0: a process may trace every other of its user"),
        "set kernel.yama.ptrace_scope to 1 or more: a QEMU that a guest broke cannot reach "
        "into another process then");
  }
  return warning(NAME, kj::str("Yama is not built in: a process may trace every other of its user"),
                 "run a kernel with CONFIG_SECURITY_YAMA, and yama among its lsm=");
}

Finding checkKernelLog(const HostFacts& facts) {
  constexpr kj::StringPtr NAME = "kernel-log"_kj;
  auto restricted = facts.text(DMESG).orDefault(kj::String());
  if (restricted == "1") return good(NAME, kj::str("for root alone"));
  return warning(
      NAME, kj::str("every user reads it"),
      "set kernel.dmesg_restrict to 1: it tells a QEMU that a guest broke where the kernel "
      "lies in memory");
}

Finding checkBpf(const HostFacts& facts) {
  constexpr kj::StringPtr NAME = "bpf"_kj;
  KJ_IF_MAYBE (disabled, facts.text(BPF)) {
    if (*disabled != "0") return good(NAME, kj::str("for root alone"));
    return warning(NAME, kj::str("every user may load programs into the kernel"),
                   "set kernel.unprivileged_bpf_disabled to 2 (1: for good)");
  }
  return good(NAME, kj::str("the kernel has none"));
}

}  // namespace bothy
