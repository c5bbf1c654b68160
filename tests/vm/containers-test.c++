// P43: what containers, file systems of users, tunnels, firewalls and debuggers ask of the machine.  On the image
// `containers`, which has the packages; the machine has no network.

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "support/test-workspace.h"

namespace bothy {
namespace {

class Machine final {
public:
  Machine()
      : workspace(host, {.image = "containers"_kj, .memoryMib = MEMORY_MIB, .diskMib = DISK_MIB}) {}

  kj::String asRoot(kj::StringPtr script) { return workspace.shell(script, "root"); }
  // As the user of the image, who is nobody special.
  kj::String asUser(kj::StringPtr script) { return workspace.shell(script, "user"); }

  SupervisedHost host;
  TestWorkspace workspace;

private:
  static constexpr uint32_t MEMORY_MIB = 1024;
  static constexpr uint32_t DISK_MIB = 2048;
};

TEST_CASE("P43 docker runs a container") {
  Machine machine;
  machine.asRoot(
      "service docker start; for i in $(seq 600); do docker info >/dev/null 2>&1 && break; sleep "
      "0.1; done");
  CHECK(machine.asRoot("docker info --format '{{.Driver}}'") == "overlay2");
  machine.asUser("tar c -C / bin/busybox | docker import - busybox");
  CHECK(machine.asUser("docker run --rm busybox /bin/busybox echo hello") == "hello");
  // A file of the image is deleted in a container, and only there; a container has a network of its own and its limit.
  CHECK(machine.asUser("docker run --rm busybox /bin/busybox sh -c "
                       "'/bin/busybox rm /bin/busybox && echo gone'") == "gone");
  CHECK(machine.asUser("docker run --rm busybox /bin/busybox ip -o -4 address show dev eth0 | grep "
                       "-c 172.17.") == "1");
  CHECK(machine.asUser(
            "docker run --rm --memory 64m busybox /bin/busybox cat /sys/fs/cgroup/memory.max") ==
        "67108864");
}

TEST_CASE("P43 podman runs a container for root") {
  Machine machine;
  machine.asRoot("tar c -C / bin/busybox | podman import - busybox");
  CHECK(machine.asRoot(
            "podman info --format '{{.Store.GraphDriverName}} {{.Store.GraphStatus}}'") != "");
  CHECK(machine.asRoot("podman run --rm busybox /bin/busybox sh -c "
                       "'/bin/busybox rm /bin/busybox && echo gone'") == "gone");
}

TEST_CASE("P43 podman runs a container for a user without root") {
  Machine machine;
  machine.asUser("tar c -C / bin/busybox | podman import - busybox");
  CHECK(machine.asUser("podman run --rm busybox /bin/busybox id -u") == "0");
  CHECK(machine.asUser("podman run --rm busybox /bin/busybox sh -c "
                       "'/bin/busybox rm /bin/busybox && echo gone'") == "gone");
}

TEST_CASE("P43 a user mounts a file system of his own by FUSE") {
  Machine machine;
  CHECK(machine.asUser(
            "cd ~ && mkdir lower upper work merged && echo below >lower/file && "
            "fuse-overlayfs -o lowerdir=lower,upperdir=upper,workdir=work merged && "
            "cat merged/file && stat -f -c %T merged && rm merged/file && fusermount3 -u merged && "
            "cat lower/file") == "below\nfuseblk\nbelow");
}

TEST_CASE("P43 a user makes a tunnel in a network of his own") {
  Machine machine;
  CHECK(machine.asUser("stat -c %a /dev/net/tun /dev/fuse") == "666\n666");
  CHECK(machine.asUser("unshare --user --map-root-user --net sh -c "
                       "'ip tuntap add dev tun7 mode tun && ip link set tun7 up && cat "
                       "/sys/class/net/tun7/tun_flags "
                       "2>/dev/null || ip -o link show tun7 | grep -c tun7'") != "");
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

TEST_CASE("P43 perf counts a user's own program") {
  Machine machine;
  CHECK(
      machine.asUser(
          "perf stat -x, -e task-clock,page-faults /bin/true 2>&1 | cut -d, -f3 | sort | xargs") ==
      "page-faults:u task-clock:u");
}

TEST_CASE("P43 strace and gdb look into a user's program") {
  Machine machine;
  CHECK(machine.asUser(
            "strace -f -e trace=execve -o trace sh -c /bin/true && grep -c execve trace") == "2");
  CHECK(machine.asUser("gdb -nx -batch -ex starti -ex 'print $rip != 0' -ex kill /bin/true 2>&1 | "
                       "grep '^\\$1'") == "$1 = 1");
  CHECK(machine.asUser("sleep 1000 & gdb -nx -batch -p $! -ex 'print $_siginfo' -ex detach 2>&1 "
                       "| grep -c 'process . detached\\|detached'; kill %1 2>/dev/null; kill $!") ==
        "1");
}

TEST_CASE("P43 a set-uid program of a user's image is one") {
  Machine machine;
  CHECK(machine.asUser("sudo id -u") == "0");
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

}  // namespace
}  // namespace bothy
