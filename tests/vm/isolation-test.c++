// What a machine may touch, seen from both sides.  All scenarios share a host, and most of them its workspace.

#include <dirent.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <regex>
#include <string>

#include "schema/agent.capnp.h"
#include "schema/limits.capnp.h"
#include "support/greeted-lane.h"
#include "support/host-program.h"
#include "support/intruder.h"
#include "support/shared-workspace.h"

namespace bothy {
namespace {

kj::String cat(kj::StringPtr path) {
  return hostOutput({"/bin/cat"_kj, path});
}

kj::String commandLine(pid_t pid) {
  auto line = cat(kj::str("/proc/", pid, "/cmdline"));
  for (auto& c : line) {
    if (c == 0) c = '\n';
  }
  return line;
}

kj::String statusLine(pid_t pid, kj::StringPtr name) {
  return hostOutput({"/bin/grep"_kj, kj::str("^", name, ":"), kj::str("/proc/", pid, "/status")});
}

// PCI device ids: virtio block, random numbers, balloon and vsock, in their old and new spelling (virtio 1.2,
// section 4.1.2), and pvpanic.
constexpr kj::StringPtr ALLOWED_DEVICES[] = {"0x1001"_kj, "0x1042"_kj, "0x1005"_kj, "0x1044"_kj,
                                             "0x1002"_kj, "0x1045"_kj, "0x1053"_kj, "0x0011"_kj};

TEST_CASE("S18 the machine has the devices that were decided on and no other") {
  auto& workspace = sharedWorkspace().workspace;
  // class:vendor of each PCI function but bridges and root ports (0600, 0601, 0604) and the chipset's own
  // AHCI and SMBus (8086), which q35 cannot be had without.
  auto devices = workspace.shell(
      "for d in /sys/bus/pci/devices/*; do c=$(cut -c3-6 $d/class); v=$(cat $d/vendor); "
      "case $c:$v in 06*|*:0x8086) ;; *) echo $(cat $d/device);; esac; done | sort");
  INFO(devices.cStr());
  kj::Vector<kj::String> unexpected;
  for (size_t i = 0; i + 6 <= devices.size(); i += 7) {
    auto device = kj::heapString(devices.slice(i, i + 6));
    bool known = false;
    for (auto allowed : ALLOWED_DEVICES) known = known || device == allowed;
    if (!known) unexpected.add(kj::mv(device));
  }
  CHECK(kj::strArray(unexpected, " ") == "");
  CHECK(devices.size() <= 8 * 7);
}

TEST_CASE("S14 S19 no shared folder, no network, no user netdev") {
  auto& [host, workspace] = sharedWorkspace();
  // Without what is random, and may hold any short word: the disk's key, encrypted and in base64, and the test's directory.
  const std::string whole = commandLine(workspace.qemu()).cStr();
  const std::regex random(std::string("\"(data|iv)\":\"[^\"]*\"|") + host.directory().cStr());
  const auto known = std::regex_replace(whole, random, "");
  CHECK(known.size() < whole.size());
  kj::StringPtr line = known.c_str();
  for (auto text : {"virtfs", "9p", "vhost-user-fs", "netdev", "slirp", "-nic", "-device\nusb",
                    "vnc", "spice"}) {
    INFO(text);
    CHECK(strstr(line.cStr(), text) == nullptr);
  }
  CHECK(strstr(line.cStr(), "-sandbox\non,") != nullptr);
  // What is there is made by the guest itself: nothing has a device behind it.
  CHECK(workspace.shell("ls -d /sys/class/net/*/device 2>/dev/null || echo none") == "none");
}

TEST_CASE("S20 every machine's processes run as a user of their own, without capabilities") {
  auto& host = sharedWorkspace().host;
  TestWorkspace one(host, {.name = "one"});
  TestWorkspace two(host, {.name = "two"});
  auto uid = [](pid_t pid) {
    struct stat stats;
    KJ_SYSCALL(stat(kj::str("/proc/", pid).cStr(), &stats));
    return stats.st_uid;
  };
  CHECK(uid(one.qemu()) != 0);
  CHECK(uid(one.qemu()) != uid(two.qemu()));
  CHECK(uid(one.vsockDevice()) == uid(one.qemu()));
  for (pid_t pid : {one.qemu(), one.vsockDevice()}) {
    CHECK(statusLine(pid, "CapEff") == "CapEff:\t0000000000000000\n");
  }
  CHECK(statusLine(one.qemu(), "Seccomp") == "Seccomp:\t2\n");
  host.deleteWorkspace("one");
  host.deleteWorkspace("two");
}

// Everything below a directory.
kj::Array<kj::String> pathsBelow(kj::StringPtr directory) {
  kj::Vector<kj::String> result;
  for (auto& entry : std::filesystem::recursive_directory_iterator(directory.cStr())) {
    result.add(kj::str(entry.path().c_str()));
  }
  return result.releaseAsArray();
}

// What libvirt and bothyd call the machine; libvirt cuts it off in names of directories.
kj::String nameOf(pid_t qemu) {
  std::smatch match;
  const std::string line = commandLine(qemu).cStr();
  KJ_REQUIRE(std::regex_search(line, match, std::regex("guest=([0-9a-f]{20})")), line.c_str());
  return kj::str(match[1].str().c_str());
}

TEST_CASE("S20 S21 a program in the place of QEMU or its vsock device reaches its machine alone") {
  auto& [host, workspace] = sharedWorkspace();
  TestWorkspace neighbour(host, {.name = "neighbour"});
  const auto own = nameOf(workspace.qemu());
  const auto paths = pathsBelow(host.directory());
  // Those are everybody's to read.
  auto isOfImages = [&](const kj::String& reached) {
    return reached.startsWith(kj::str("reads ", host.directory(), "/images/")) ||
           reached.startsWith(kj::str("lists ", host.directory(), "/images"));
  };
  const auto disk = kj::str("writes ", host.directory(), "/state/volumes/", own);
  const pid_t others[] = {neighbour.qemu(), neighbour.vsockDevice(), host.pid(), getpid(), 1};
  for (pid_t place : {workspace.qemu(), workspace.vsockDevice()}) {
    INFO(commandLine(place).cStr());
    Intruder intruder(place);
    bool reachesDisk = false;
    kj::Vector<kj::String> strange;
    for (auto& reached : intruder.reach(paths)) {
      reachesDisk = reachesDisk || reached.startsWith(disk);
      const bool isOwn = strstr(reached.cStr(), own.cStr()) != nullptr;
      if (!isOwn && !isOfImages(reached)) strange.add(kj::mv(reached));
    }
    CHECK(kj::strArray(strange, "\n") == "");
    // Or the intruder reaches nothing for a reason of its own.
    CHECK(reachesDisk);
    CHECK(kj::strArray(intruder.reach(others), "\n") == "");
    CHECK(kj::strArray(intruder.reachNetwork(), "\n") == "");
  }
  CHECK(neighbour.shell("echo undisturbed") == "undisturbed");
  host.deleteWorkspace("neighbour");
}

TEST_CASE("S13 the image is open read-only and is the same after a hostile guest") {
  auto& [host, workspace] = sharedWorkspace();
  auto fds = hostOutput({"/bin/sh"_kj, "-c"_kj,
                         kj::str("cd /proc/", workspace.qemu(),
                                 "/fd && for f in *; do case $(readlink $f) in *.erofs) "
                                 "awk '/^flags/ { print $2 }' ../fdinfo/$f;; esac; done")});
  CHECK(fds.size() > 0);
  // The last octal digit of `flags` is the access mode; 0 is O_RDONLY.
  auto flags = fds.slice(0, fds.findFirst('\n').orDefault(fds.size()));
  CHECK(flags[flags.size() - 1] == '0');
  const auto image = kj::str(host.directory(), "/images/base/root.erofs");
  auto before = hostOutput({"/usr/bin/sha256sum"_kj, image});
  workspace.shell("dd if=/dev/urandom of=/dev/vda bs=1M count=8 conv=fsync 2>/dev/null; echo tried",
                  "root");
  CHECK(hostOutput({"/usr/bin/sha256sum"_kj, image}) == before);
}

TEST_CASE("S12 no text of a user reaches a command line") {
  auto& host = sharedWorkspace().host;
  for (auto name : {"a,b", "-o", "a\nb", "../x", "A", "", "a b", "x\x1b[31m"}) {
    auto request = host.supervisor().createRequest();
    request.initSpec().setName(name);
    auto response = host.wait(request.send().dropPipeline(), "the refusal");
    INFO(name);
    CHECK(response.getOutcome().isInvalid());
  }
  TestWorkspace workspace(host, {.name = "findme"});
  CHECK(strstr(commandLine(workspace.qemu()).cStr(), "-append\n") != nullptr);
  host.deleteWorkspace("findme");
}

// The VmFlags of the mappings of a guest's RAM in a process, one a line.
kj::String guestMemoryFlags(pid_t pid) {
  return hostOutput({"/usr/bin/awk"_kj,
                     "/^[0-9a-f]+-/ { ours = /memfd:memory-backend-memfd/ } /^VmFlags/ && ours"_kj,
                     kj::str("/proc/", pid, "/smaps")});
}

TEST_CASE("S22 a guest's memory is in no core, and no page of it is merged") {
  auto& [host, workspace] = sharedWorkspace();
  auto flags = guestMemoryFlags(workspace.qemu());
  INFO(flags.cStr());
  // One mapping.  proc(5): "dd" is MADV_DONTDUMP, "mg" MADV_MERGEABLE.
  REQUIRE(flags.findFirst('\n').orDefault(0) + 1 == flags.size());
  CHECK(strstr(flags.cStr(), " dd") != nullptr);
  CHECK(strstr(flags.cStr(), " mg") == nullptr);
  // The vsock device maps the guest's memory too and gives no such advice: what keeps it out is that no
  // core has memory in it, not even one that the kernel hands to a program, whatever the limit is.
  for (pid_t pid : {host.pid(), workspace.qemu(), workspace.vsockDevice()}) {
    auto limit = hostOutput({"/usr/bin/awk"_kj, "/^Max core file size/ { print $5, $6 }"_kj,
                             kj::str("/proc/", pid, "/limits")});
    CHECK(limit == "0 0\n");
    CHECK(cat(kj::str("/proc/", pid, "/coredump_filter")) == "00000000\n");
  }
  CHECK(guestMemoryFlags(workspace.vsockDevice()) != "");
}

TEST_CASE("S23 the kernel's hardening stays on") {
  auto& workspace = sharedWorkspace().workspace;
  auto line = workspace.shell("cat /proc/cmdline");
  CHECK(strstr(line.cStr(), "nokaslr") == nullptr);
  CHECK(strstr(line.cStr(), "mitigations") == nullptr);
}

TEST_CASE("S25 whoever dials the agent without the secret gets nothing but a refusal") {
  auto& [host, workspace] = sharedWorkspace();
  // The secret is nowhere that others read: neither on QEMU's command line nor in its environment.
  CHECK(strstr(commandLine(workspace.qemu()).cStr(), "opt/bothy/secret,string") == nullptr);
  CHECK(workspace.run({"/bin/cat"_kj, "/sys/firmware/qemu_fw_cfg/by_name/opt/bothy/secret/raw"_kj})
            .status != "exited 0");
  CHECK(workspace.shell("wc -c < /sys/firmware/qemu_fw_cfg/by_name/opt/bothy/secret/raw", "root") ==
        "32");

  auto silent = KJ_REQUIRE_NONNULL(workspace.dial(rpc::AGENT_PORT));
  CHECK(host.wait(silent->readAllBytes(), "the end of a silent connection").size() == 0);
  const kj::byte guess[rpc::SECRET_BYTES] = {};
  auto lane = greet(host.scope, host.timer, KJ_REQUIRE_NONNULL(workspace.dial(rpc::AGENT_PORT)),
                    guess, wholeGrant(rpc::Purpose::CONTROL));
  auto answer = host.wait(lane->answer(), "the refusal");
  CHECK(answer.get<LaneRefused>().why == rpc::Refusal::WRONG_SECRET);
  CHECK(workspace.shell("echo undisturbed") == "undisturbed");
}

TEST_CASE("S26 no process of the guest reaches the agent's port or a port of the host") {
  auto& workspace = sharedWorkspace().workspace;
  const bool full = getenv("BOTHY_FULL") != nullptr;
  auto script = kj::str(R"(
import socket
answers = []
ports = range(0, 65536) if )",
                        full ? "True" : "False", R"( else [22, 999, 1000, 1001, 5000]
for cid in (socket.VMADDR_CID_HOST, 1, 0xFFFFFFFF):
    for port in ports:
        s = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
        s.settimeout(2)
        try:
            s.connect((cid, port))
            s.sendall(b'hello')
            data = s.recv(1)
            answers.append((cid, port, len(data)))
        except OSError:
            pass
        s.close()
print([a for a in answers if a[2] > 0])
)");
  CHECK(workspace.run({"/usr/bin/python3"_kj, "-c"_kj, script}).out == "[]\n");
}

TEST_CASE("S41 no process can type into another's terminal") {
  auto& workspace = sharedWorkspace().workspace;
  CHECK(workspace.shell("cat /proc/sys/dev/tty/legacy_tiocsti 2>/dev/null || echo 0") == "0");
  TestTerminal terminal(workspace,
                        {.argv = {"/usr/bin/python3"_kj, "-c"_kj,
                                  "import fcntl, termios\n"
                                  "try:\n  fcntl.ioctl(0, termios.TIOCSTI, b'x'); print('typed')\n"
                                  "except OSError as e: print('refused', e.errno)"_kj}});
  terminal.waitForText("refused");
}

TEST_CASE("S17 every file of a workspace is its owner's alone") {
  auto& [host, workspace] = sharedWorkspace();
  // But for libvirt's settings and the numbers of its processes, which tell nothing of a workspace.
  auto open = hostOutput({"/usr/bin/find"_kj, kj::str(host.directory(), "/state"), "-type"_kj,
                          "f"_kj, "-perm"_kj, "/077"_kj, "!"_kj, "-name"_kj, "*.pid"_kj, "!"_kj,
                          "-name"_kj, "qemu.conf"_kj});
  CHECK(open == "");
}

}  // namespace
}  // namespace bothy
