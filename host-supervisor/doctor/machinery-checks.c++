#include "doctor/machinery-checks.h"

#include "doctor/version-number.h"

namespace bothy {
namespace {

// Older ones lack what is used here, or were not tried.
constexpr VersionNumber OLDEST_LIBVIRT{10, 0, 0};
constexpr VersionNumber OLDEST_EMULATOR{10, 0, 0};
// Has the fixes of CVE-2026-32239 and CVE-2026-32240.
constexpr VersionNumber OLDEST_RPC_LIBRARY{1, 4, 0};

// Linux 7.0 and later: "local" or "global", of this process's network namespace.
constexpr kj::StringPtr VSOCK_MODE = "/proc/sys/net/vsock/ns_mode"_kj;

Finding checkVersion(kj::StringPtr name, kj::StringPtr says, VersionNumber oldest) {
  KJ_IF_MAYBE (version, VersionNumber::firstIn(says)) {
    if (!(*version < oldest)) return good(name, kj::str(says));
  }
  return warning(name, kj::str(says),
                 kj::str("install ", oldest, " or later: bothyd is not tried with older ones"));
}

}  // namespace

Finding checkAccelerator(const Machinery& machinery) {
  constexpr kj::StringPtr NAME = "accelerator"_kj;
  if (machinery.runsKvm) return good(NAME, kj::str("kvm"));
  return warning(
      NAME, kj::str("tcg: ", machinery.acceleratorReason),
      "machines are slow, and QEMU promises no isolation of guests from the host under TCG: for "
      "trusted guests only; others need a host whose /dev/kvm runs guests");
}

Finding checkVsock(const HostFacts& facts, const Machinery& machinery) {
  constexpr kj::StringPtr NAME = "vsock"_kj;
  if (machinery.hasKernelVsock) return good(NAME, kj::str("kernel"));
  auto found = kj::str("vhost-user: ", machinery.vsockReason);
  if (facts.exists(machinery.vsockDevice)) return good(NAME, kj::mv(found));
  return refusal(
      NAME, kj::str(found, ", and no ", machinery.vsockDevice),
      "install vhost-device-vsock or load the kernel's module vhost_vsock: no machine can "
      "be reached without one of them");
}

Finding checkVsockNamespace(const HostFacts& facts, const Machinery& machinery) {
  constexpr kj::StringPtr NAME = "vsock-namespace"_kj;
  if (!machinery.hasKernelVsock) {
    return good(NAME, kj::str("none needed: each machine's vsock is a socket of its own"));
  }
  auto mode = facts.text(VSOCK_MODE).orDefault(kj::str("not known to this kernel"));
  if (mode == "local") return good(NAME, kj::mv(mode));
  return warning(
      NAME, kj::str(mode, ": every process of the host can dial every guest"),
      "run nothing else on this host, or run bothyd in a network namespace whose vsock is "
      "local (net.vsock.child_ns_mode, Linux 7.0 or later): the secret of each boot is "
      "all that keeps others from an agent");
}

Finding checkLibvirt(const Machinery& machinery) {
  return checkVersion("libvirt", machinery.libvirt, OLDEST_LIBVIRT);
}

Finding checkEmulator(const Machinery& machinery) {
  constexpr kj::StringPtr NAME = "qemu"_kj;
  if (machinery.emulatorFault.size() > 0) {
    return refusal(NAME, kj::str(machinery.emulatorFault),
                   "install qemu-system-x86: no machine can start without it");
  }
  return checkVersion(NAME, machinery.emulator, OLDEST_EMULATOR);
}

Finding checkStorageDaemon(const HostFacts& facts, const Machinery& machinery) {
  constexpr kj::StringPtr NAME = "storage-daemon"_kj;
  if (facts.exists(machinery.storageDaemon)) return good(NAME, kj::str(machinery.storageDaemon));
  return warning(
      NAME, kj::str("there is no ", machinery.storageDaemon),
      "install qemu-utils: no workspace can be hibernated, as its memory is encrypted by it");
}

Finding checkRpcLibrary(uint32_t version) {
  constexpr kj::StringPtr NAME = "capnproto"_kj;
  const VersionNumber number{version / 1000000, version / 1000 % 1000, version % 1000};
  if (!(number < OLDEST_RPC_LIBRARY)) return good(NAME, kj::str(number));
  return refusal(NAME, kj::str(number),
                 kj::str("build bothyd with Cap'n Proto ", OLDEST_RPC_LIBRARY,
                         " or later: messages of a hostile guest may break older ones"));
}

}  // namespace bothy
