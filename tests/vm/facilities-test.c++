// P43: what programs, firewalls and container engines ask of the kernel and of the machine, with what is in the image
// `base`; the machine has no network.  All scenarios share it.

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "support/shared-workspace.h"

namespace bothy {
namespace {

class Machine final {
public:
  kj::String asRoot(kj::StringPtr script) { return workspace.shell(script, "root"); }
  // As the user of the image, who is nobody special.
  kj::String asUser(kj::StringPtr script) { return workspace.shell(script, "user"); }

  SupervisedHost& host = sharedWorkspace().host;
  TestWorkspace& workspace = sharedWorkspace().workspace;
};

TEST_CASE("P43 a user makes a tunnel in a network of his own") {
  Machine machine;
  CHECK(machine.asUser("stat -c %a /dev/net/tun /dev/fuse") == "666\n666");
  CHECK(machine.asUser("unshare --user --map-root-user --net sh -c "
                       "'ip tuntap add dev tun7 mode tun && ip link set tun7 up && "
                       "ip -o link show up | grep -c tun7'") == "1");
}

TEST_CASE("P43 rules of nft and iptables hold") {
  Machine machine;
  machine.asRoot("ping -c 1 -W 5 127.0.0.1");
  machine.asRoot(
      "nft 'add table inet test; add set inet test banned { type ipv4_addr; }; "
      "add element inet test banned { 127.0.0.1 }; "
      "add chain inet test input { type filter hook input priority 0; }; "
      "add rule inet test input ip daddr @banned icmp type echo-request counter drop'");
  machine.asRoot("! ping -c 1 -W 1 127.0.0.1");
  CHECK(machine.asRoot("nft list ruleset | grep -c 'packets 1'") == "1");
  machine.asRoot(
      "nft flush ruleset && iptables -A OUTPUT -p icmp -m comment --comment test -j REJECT");
  machine.asRoot("! ping -c 1 -W 1 127.0.0.1");
  machine.asRoot(
      "iptables -t nat -A POSTROUTING -s 10.0.0.0/8 -m addrtype ! --dst-type LOCAL -j MASQUERADE");
  machine.asRoot("nft flush ruleset");
}

TEST_CASE("P43 an overlay on the workspace's disk deletes and renames as any other") {
  Machine machine;
  for (kj::StringPtr directory :
       {"/var/lib/docker"_kj, "/var/lib/containers"_kj, "/var/lib/containerd"_kj}) {
    INFO(directory.cStr());
    CHECK(machine.asRoot(kj::str(
              "mkdir -p ", directory, "/test && cd ", directory,
              "/test && mkdir -p lower/folder upper work merged && "
              "echo below >lower/file && "
              "mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged && "
              "rm merged/file && rmdir merged/folder && ls -A merged && stat -c %F upper/file && "
              "umount merged")) == "character special file");
  }
}

TEST_CASE("P43 what engines keep on the disk is there after a restart") {
  Machine machine;
  machine.asRoot("echo kept >/var/lib/docker/file");
  machine.host.stopWorkspace(machine.workspace.name);
  machine.workspace.startAgain();
  CHECK(machine.asRoot("cat /var/lib/docker/file && findmnt -n -o FSTYPE /var/lib/docker") ==
        "kept\next4");
}

TEST_CASE("P43 a user's program handles its own page faults") {
  Machine machine;
  // userfaultfd(2) with UFFD_USER_MODE_ONLY, and the handshake UFFDIO_API.
  CHECK(
      machine.asUser(
          "python3 -c '\n"
          "import ctypes, fcntl, struct\n"
          "libc = ctypes.CDLL(None, use_errno=True)\n"
          "fd = libc.syscall(323, 1)\n"
          "print(fd >= 0, len(fcntl.ioctl(fd, 0xc018aa3f, struct.pack(\"QQQ\", 0xaa, 0, 0))))'") ==
      "True 24");
}

TEST_CASE("what starts at a person's word in base: cron, man, a virtual environment of Python") {
  Machine machine;
  machine.asRoot("service cron start && pgrep -x cron && ! test -e /usr/sbin/policy-rc.d");
  CHECK(machine.asUser("man -P cat 1 ls | grep -c '^NAME'") == "1");
  machine.asUser("echo '* * * * * true' | crontab - && crontab -l");
  machine.asUser(
      "python3 -m venv --without-pip ~/environment && ~/environment/bin/python -c pass && pip "
      "--version");
}

TEST_CASE("P43 the root is one file system, also to those who stay on one") {
  Machine machine;
  CHECK(machine.asUser("du -s /usr/share") == machine.asUser("du -xs /usr/share"));
}

TEST_CASE("P43 strace looks into a user's program") {
  Machine machine;
  CHECK(machine.asUser(
            "strace -f -e trace=execve -o trace sh -c /bin/true && grep -c execve trace") == "2");
}

}  // namespace
}  // namespace bothy
