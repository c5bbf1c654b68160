#include "doctor/machinery-checks.h"

#include <catch2/catch_test_macros.hpp>

#include "doctor/test-host.h"

namespace bothy {
namespace {

Machinery best() {
  Machinery machinery{};
  machinery.runsKvm = true;
  machinery.hasKernelVsock = true;
  machinery.vsockDevice = kj::str("/usr/bin/vhost-device-vsock");
  machinery.storageDaemon = kj::str("/usr/bin/qemu-storage-daemon");
  machinery.libvirt = kj::str("11.3.0");
  machinery.emulator = kj::str("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)");
  return machinery;
}

TEST_CASE("S24 TCG is warned of: it isolates nobody") {
  auto machinery = best();
  CHECK(checkAccelerator(machinery).verdict == Verdict::OK);
  machinery.runsKvm = false;
  machinery.acceleratorReason = kj::str("there is no /dev/kvm");
  auto finding = checkAccelerator(machinery);
  CHECK(finding.verdict == Verdict::WARN);
  CHECK(finding.found == "tcg: there is no /dev/kvm");
  CHECK(contains(finding.advice, "no isolation"));
}

TEST_CASE("S24 a host on which no machine could be reached is refused") {
  TestHost host;
  auto machinery = best();
  CHECK(checkVsock(host, machinery).verdict == Verdict::OK);
  machinery.hasKernelVsock = false;
  machinery.vsockReason = kj::str("there is no /dev/vhost-vsock");
  auto finding = checkVsock(host, machinery);
  CHECK(finding.verdict == Verdict::REFUSE);
  CHECK(isWhole(finding));
  host.files["/usr/bin/vhost-device-vsock"] = "";
  CHECK(checkVsock(host, machinery).verdict == Verdict::OK);
  CHECK(checkVsock(host, machinery).found == "vhost-user: there is no /dev/vhost-vsock");
}

TEST_CASE("S24 the kernel's vsock is warned of where every process may dial every guest") {
  TestHost host;
  auto machinery = best();
  CHECK(checkVsockNamespace(host, machinery).verdict == Verdict::WARN);
  host.files["/proc/sys/net/vsock/ns_mode"] = "global";
  CHECK(checkVsockNamespace(host, machinery).verdict == Verdict::WARN);
  CHECK(isWhole(checkVsockNamespace(host, machinery)));
  host.files["/proc/sys/net/vsock/ns_mode"] = "local";
  CHECK(checkVsockNamespace(host, machinery).verdict == Verdict::OK);
  host.files.clear();
  machinery.hasKernelVsock = false;
  CHECK(checkVsockNamespace(host, machinery).verdict == Verdict::OK);
}

TEST_CASE("S24 versions older than what was tried are warned of") {
  auto machinery = best();
  CHECK(checkLibvirt(machinery).verdict == Verdict::OK);
  CHECK(checkEmulator(machinery).verdict == Verdict::OK);
  CHECK(isWhole(checkEmulator(machinery)));
  machinery.libvirt = kj::str("9.0.0");
  machinery.emulator = kj::str("QEMU emulator version 7.2.11");
  CHECK(checkLibvirt(machinery).verdict == Verdict::WARN);
  CHECK(checkEmulator(machinery).verdict == Verdict::WARN);
  CHECK(contains(checkEmulator(machinery).advice, "10.0.0"));
  machinery.emulator = kj::str("nonsense");
  CHECK(checkEmulator(machinery).verdict == Verdict::WARN);
}

TEST_CASE("S22 a host on which no machine can hibernate is warned of") {
  TestHost host;
  auto machinery = best();
  auto finding = checkStorageDaemon(host, machinery);
  CHECK(finding.verdict == Verdict::WARN);
  CHECK(finding.found == "there is no /usr/bin/qemu-storage-daemon");
  CHECK(isWhole(finding));
  host.files["/usr/bin/qemu-storage-daemon"] = "";
  CHECK(checkStorageDaemon(host, machinery).verdict == Verdict::OK);
}

TEST_CASE("S24 a host without QEMU, and a library with known holes, are refused") {
  auto machinery = best();
  machinery.emulator = nullptr;
  machinery.emulatorFault = kj::str("/usr/bin/qemu-system-x86_64 cannot be asked");
  CHECK(checkEmulator(machinery).verdict == Verdict::REFUSE);
  CHECK(isWhole(checkEmulator(machinery)));
  CHECK(checkRpcLibrary(1003000).verdict == Verdict::REFUSE);
  CHECK(isWhole(checkRpcLibrary(1003000)));
  CHECK(checkRpcLibrary(1004000).verdict == Verdict::OK);
  CHECK(checkRpcLibrary(2000001).found == "2.0.1");
}

}  // namespace
}  // namespace bothy
