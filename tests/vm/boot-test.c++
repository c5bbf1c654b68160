// What a machine's init does for the people on it, and what they can do to its next boot.  All scenarios share a host, and most its
// machine.

#include <kj/debug.h>
#include <string.h>
#include <catch2/catch_test_macros.hpp>

#include <string>

#include "support/event-record.h"
#include "support/shared-workspace.h"

namespace bothy {
namespace {

using Report = capnp::Response<rpc::System::ReportResults>;

// The report of a boot that has done all it has to.
Report finishedReport(TestWorkspace& workspace) {
  auto& host = workspace.host;
  for (;;) {
    auto response =
        host.wait(workspace.system().reportRequest().send().dropPipeline(), "the report");
    auto stages = response.getReport().getStages();
    if (stages[stages.size() - 1].getName() == "recorded the boot") return response;
    host.timer.afterDelay(20 * kj::MILLISECONDS).wait(host.scope);
  }
}

// "stage: failure" of each stage that failed.
kj::String failuresOf(TestWorkspace& workspace) {
  auto response = finishedReport(workspace);
  kj::Vector<kj::String> result;
  for (auto stage : response.getReport().getStages()) {
    if (stage.getFailure() != "") {
      result.add(kj::str(stage.getName(), ": ", stage.getFailure()));
    }
  }
  return kj::strArray(result, "\n");
}

bool hasStage(TestWorkspace& workspace, const char* part) {
  auto response = finishedReport(workspace);
  for (auto stage : response.getReport().getStages()) {
    if (strstr(stage.getName().cStr(), part) != nullptr) return true;
  }
  return false;
}

void stopAndStart(TestWorkspace& workspace) {
  CHECK(workspace.host.stopWorkspace(workspace.name) == rpc::Supervisor::StopKind::ORDERLY);
  workspace.startAgain();
}

TEST_CASE("P40 P43 devices, directories, mounts and settings are as on a Debian") {
  auto& [host, workspace] = sharedWorkspace();
  CHECK(failuresOf(workspace) == "");

  CHECK(workspace.shell("cd /dev; stat -c '%n %a %G' fuse net/tun ptmx tty null full zero random "
                        "ttyS0 vda vdb loop-control shm") ==
        "fuse 666 root\nnet/tun 666 root\nptmx 666 tty\ntty 666 tty\nnull 666 root\n"
        "full 666 root\nzero 666 root\nrandom 666 root\nttyS0 660 dialout\nvda 660 disk\n"
        "vdb 660 disk\nloop-control 660 disk\nshm 1777 root");
  CHECK(workspace.shell("readlink /dev/fd /dev/stdin /dev/stdout /dev/stderr /dev/core") ==
        "/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\n/proc/kcore");
  CHECK(workspace.shell("stat -c '%a %U' /run/lock /run/user /tmp /var/tmp") ==
        "1777 root\n711 root\n1777 root\n1777 root");
  CHECK(workspace.shell("stat -Lc %a /var/lock") == "1777");

  CHECK(workspace.shell("grep -c '^[0-9]* [0-9]* [^ ]* / / .* shared:' /proc/self/mountinfo") ==
        "1");
  CHECK(workspace.shell("for m in /dev/mqueue /dev/hugepages /sys/fs/fuse/connections "
                        "/proc/sys/fs/binfmt_misc /sys/kernel/security /sys/fs/bpf; do "
                        "mountpoint -q $m || echo no $m; done") == "");
  CHECK(workspace.shell("cd /proc/sys; cat kernel/panic_on_oops kernel/pid_max "
                        "fs/protected_symlinks fs/protected_hardlinks fs/protected_fifos "
                        "fs/protected_regular net/ipv4/ping_group_range") ==
        "1\n4194304\n1\n1\n1\n2\n0\t2147483647");
  CHECK(workspace.shell("ping -q -c 1 127.0.0.1 > /dev/null && echo answered") == "answered");
  // The first scenario finds the machine in its first boot.
  CHECK(workspace.shell("who -b | grep -c 'system boot'; last reboot | grep -c '^reboot'") ==
        "1\n1");
}

TEST_CASE("P40 settings in sysctl.d apply, and those that cannot are reported") {
  auto& [host, workspace] = sharedWorkspace();
  workspace.shell(
      "echo 'net.ipv4.ip_forward = 1' > /etc/sysctl.d/50-mine.conf; "
      "echo 'no.such.setting = 1' >> /etc/sysctl.conf",
      "root");
  stopAndStart(workspace);
  CHECK(failuresOf(workspace) ==
        "applied the settings of sysctl.d: 1 settings of sysctl.conf or sysctl.d cannot be set: "
        "/proc/sys/no/such/setting");
  CHECK(workspace.shell("cat /proc/sys/net/ipv4/ip_forward") == "1");
  workspace.shell("rm /etc/sysctl.d/50-mine.conf /etc/sysctl.conf", "root");
}

TEST_CASE("/tmp is empty after a boot, and what was in it goes") {
  auto& [host, workspace] = sharedWorkspace();
  workspace.shell("mkdir -p /tmp/a/b; touch /tmp/a/b/c /tmp/.hidden; echo kept > /var/tmp/file");
  stopAndStart(workspace);
  CHECK(workspace.shell("ls -A /tmp; stat -c %a /tmp; cat /var/tmp/file") == "1777\nkept");
  for (;;) {
    if (workspace.shell("ls -A / | grep -c bothy-old || :") == "0") break;
    host.timer.afterDelay(200 * kj::MILLISECONDS).wait(host.scope);
  }
}

TEST_CASE("P48 whatever root leaves in /etc and in the way of mounts, the machine boots") {
  auto& host = sharedWorkspace().host;
  // Which is of no use to others then.
  TestWorkspace workspace(host, {.name = "spoilt"});
  constexpr kj::StringPtr NAMES =
      "hostname hosts machine-id passwd group localtime timezone environment default/locale "
      "resolv.conf sysctl.conf"_kj;
  // No program can count on anything now but the kernel: what is asked for is whether the agent is there,
  // runs a program of root's, and what it reports.
  auto survives = [&](kj::StringPtr how) {
    INFO(how.cStr());
    CHECK(host.stopWorkspace(workspace.name) == rpc::Supervisor::StopKind::ORDERLY);
    workspace.startAgain();
    finishedReport(workspace);
    CHECK(workspace.shell("echo runs", "root") == "runs");
  };
  auto each = [&](kj::StringPtr command) {
    workspace.shell(kj::str("cd /etc; for f in ", NAMES, "; do rm -rf $f; ", command, "; done"),
                    "root");
  };

  each("mkfifo $f");
  survives("FIFOs");
  // Those that boot writes are whole again.
  CHECK(workspace.shell("cat /etc/hostname; grep -c spoilt /etc/hosts; wc -c < /etc/machine-id",
                        "root") == "spoilt\n1\n33");
  each("ln -s $PWD/$f $f");
  survives("loops of links");
  each("head -c 5000000 /dev/zero | tr '\\0' x > $f");
  survives("5 MB");
  CHECK(workspace.shell("cat /proc/sys/kernel/hostname", "root") == workspace.name);
  each("ln -s /dev/zero $f");
  survives("devices");
  each("mkdir $f; touch $f/file");
  // What is needed is made, what is in its place cannot be read: one stage each.
  survives("directories");
  CHECK(workspace.shell("cat /proc/sys/kernel/hostname", "root") == workspace.name);
  each(":");
  survives("nothing");
  workspace.shell("mv /etc /etc.away; mkfifo /etc", "root");
  survives("no /etc");
  workspace.shell("rm /etc; ln -s /etc /etc", "root");
  survives("a loop in place of /etc");
  workspace.shell("rm /etc; mv /etc.away /etc", "root");

  // The data disk, mounted once more, is the only way to what lies below the machine's mounts.
  workspace.shell(
      "mkdir /below; mount /dev/vdb /below; cd /below/upper; for d in dev proc sys run; do "
      "[ ! -e $d ] || mv $d $d.away; ln -s /usr/share/$d $d; done; cd /; rm -rf tmp var/log; "
      "ln -s /etc tmp; ln -s /nowhere var/log",
      "root");
  survives("links in place of mount points");
  CHECK(workspace.shell("for m in /dev /proc /sys /run; do mountpoint -q $m || echo no $m; done; "
                        "readlink /tmp; ls -d /etc/skel",
                        "root") == "/etc\n/etc/skel");
  host.deleteWorkspace(workspace.name);
}

TEST_CASE("P44 a file system in which the kernel has found an error is repaired at the next boot") {
  auto& [host, workspace] = sharedWorkspace();
  workspace.shell("echo kept > ~/file; sync");
  // The kernel's own way to try it: marks the file system, and makes it read-only.
  workspace.shell("echo tried > /sys/fs/ext4/vdb/trigger_fs_error", "root");
  CHECK(workspace.shell("touch ~/more 2> /dev/null || echo read-only") == "read-only");
  stopAndStart(workspace);
  CHECK(failuresOf(workspace) == "");
  CHECK(hasStage(workspace, "repaired by e2fsck -p"));
  CHECK(workspace.shell("touch ~/more; cat ~/file") == "kept");

  stopAndStart(workspace);
  CHECK_FALSE(hasStage(workspace, "e2fsck"));
}

TEST_CASE("what people mounted is whole after the machine's end, and so is the data disk") {
  auto& [host, workspace] = sharedWorkspace();
  workspace.shell(
      "cd /root; truncate -s 16M outer; mkfs.ext4 -q outer; mkdir -p /mnt/outer; "
      "mount -o loop outer /mnt/outer; cd /mnt/outer; truncate -s 4M inner; "
      "mkfs.ext4 -q inner; mkdir deep; mount -o loop inner deep; echo whole > deep/file; "
      "mount -t tmpfs none '/mnt/outer/deep/lost+found'; mount --bind /root /mnt/outer/lost+found",
      "root");
  stopAndStart(workspace);
  CHECK(workspace.shell(
            "dumpe2fs -h /root/outer 2> /dev/null | "
            "grep -E '^Filesystem (state|features)' | grep -c -E 'needs_recovery|not clean' || :",
            "root") == "0");
  CHECK(
      workspace.shell("mount -o loop,ro /root/outer /mnt/outer; "
                      "dumpe2fs -h /mnt/outer/inner 2> /dev/null | grep -c needs_recovery || :; "
                      "mount -o loop,ro /mnt/outer/inner /mnt/outer/deep; cat /mnt/outer/deep/file",
                      "root") == "0\nwhole");
  // The kernel says so when it has replayed a journal.
  CHECK(workspace.shell("dmesg | grep -c 'vdb.*recovery complete' || :", "root") == "0");
}

}  // namespace
}  // namespace bothy
