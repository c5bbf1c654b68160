#include "doctor/examination.h"

#include <set>

#include <kj/debug.h>
#include <kj/exception.h>
#include <catch2/catch_test_macros.hpp>

#include "doctor/test-host.h"
#include "support/log-record.h"

namespace bothy {
namespace {

ExaminedPlaces places() {
  return {kj::str("/var/lib/bothy"), kj::str("/run/bothy"), 700000, 10000, 4ull << 30};
}

TEST_CASE("S24 an examination has each check once, under a name that a client can look for") {
  TestHost host;
  Machinery machinery{};
  std::set<std::string> names;
  size_t count = 0;
  auto take = [&](kj::Array<Finding> findings) {
    for (auto& finding : findings) {
      INFO(finding.name.cStr());
      CHECK(isWhole(finding));
      for (char c : finding.name) CHECK(((c >= 'a' && c <= 'z') || c == '-'));
      names.insert(finding.name.cStr());
      count++;
    }
  };
  machinery.emulatorFault = kj::str("there is no QEMU");
  machinery.libvirt = kj::str("11.3.0");
  take(examineMachinery(host, machinery));
  take(examineHost(host, places()));
  CHECK(names.size() == count);
  for (auto name : {"accelerator",
                    "vsock",
                    "vsock-namespace",
                    "fuse",
                    "network-namespaces",
                    "libvirt",
                    "qemu",
                    "kernel",
                    "capnproto",
                    "smt",
                    "cpu-flaws",
                    "ksm",
                    "swap",
                    "core-dumps",
                    "ptrace-scope",
                    "kernel-log",
                    "bpf",
                    "runtime-dir",
                    "state-dir",
                    "root",
                    "open-files",
                    "capacity",
                    "user-ids"}) {
    INFO(name);
    CHECK(names.contains(name));
  }
}

TEST_CASE("S24 what is weak is logged and goes on, what is good is not logged") {
  LogRecord log;
  requireFit(kj::arr(good("fuse", kj::str("/dev/fuse")),
                     warning("swap", kj::str("not encrypted: /dev/sda2"), "switch it off")));
  REQUIRE(log.lines.size() == 1);
  CHECK(log.lines[0].startsWith("warning"));
  CHECK(contains(log.lines[0], "swap"));
  CHECK(contains(log.lines[0], "/dev/sda2"));
  CHECK(contains(log.lines[0], "switch it off"));
}

TEST_CASE("S24 what is refused ends the start, after all findings are logged") {
  LogRecord log;
  auto findings = kj::arr(refusal("root", kj::str("user 1"), "be root"),
                          warning("swap", kj::str("plain"), "switch it off"),
                          refusal("qemu", kj::str("none"), "install it"));
  auto failure = kj::runCatchingExceptions([&]() { requireFit(findings); });
  auto& exception = KJ_ASSERT_NONNULL(failure);
  CHECK(contains(exception.getDescription(), "root, qemu"));
  REQUIRE(log.lines.size() == 3);
  CHECK(log.lines[0].startsWith("error"));
  CHECK(log.lines[1].startsWith("warning"));
  CHECK(contains(log.lines[2], "install it"));
}

}  // namespace
}  // namespace bothy
