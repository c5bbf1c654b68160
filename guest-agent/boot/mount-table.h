#pragma once

#include <kj/array.h>
#include <sys/mount.h>

namespace bothy {

enum class Need {
  REQUIRED,  // without it there is no boot
  WANTED,    // its absence is told, and boot goes on
  OFFERED,   // a kernel without it is as good
};

// A file system of the kernel's own, and where it belongs.
struct KernelMount {
  const char* type;
  const char* target;
  unsigned long flags;
  const char* options;
  Need need;
};

// In the order of mounting: a target lies below an earlier one or in the initramfs.
constexpr KernelMount KERNEL_MOUNTS[] = {
    {"proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "", Need::REQUIRED},
    {"sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, "", Need::REQUIRED},
    {"devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC, "mode=0755", Need::REQUIRED},
    // gid 5 is `tty`: mesg(1) and write(1) rely on it.
    {"devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=0620,ptmxmode=0666", Need::REQUIRED},
    {"tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777", Need::WANTED},
    {"tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755,size=25%", Need::REQUIRED},
    // Apart, so that users who fill what they may write leave root the rest of /run.
    {"tmpfs", "/run/lock", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=1777,size=5M", Need::WANTED},
    {"tmpfs", "/run/user", MS_NOSUID | MS_NODEV, "mode=0755,size=10%", Need::WANTED},
    {"cgroup2", "/sys/fs/cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC,
     "nsdelegate,memory_recursiveprot", Need::WANTED},
};

// As a Debian has them, for programs that come later than the first prompt: they cost a boot nothing.  In
// the order of mounting; the mount points below /sys and /proc are the kernel's, where it has them.
constexpr KernelMount LATE_KERNEL_MOUNTS[] = {
    {"mqueue", "/dev/mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, "", Need::WANTED},
    {"hugetlbfs", "/dev/hugepages", MS_NOSUID | MS_NODEV, "pagesize=2M", Need::OFFERED},
    // The only way to get rid of a FUSE file system whose server hangs.
    {"fusectl", "/sys/fs/fuse/connections", MS_NOSUID | MS_NODEV | MS_NOEXEC, "", Need::OFFERED},
    {"binfmt_misc", "/proc/sys/fs/binfmt_misc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "",
     Need::OFFERED},
    {"securityfs", "/sys/kernel/security", MS_NOSUID | MS_NODEV | MS_NOEXEC, "", Need::OFFERED},
    {"bpf", "/sys/fs/bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700", Need::OFFERED},
    {"debugfs", "/sys/kernel/debug", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700", Need::OFFERED},
    {"tracefs", "/sys/kernel/tracing", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700",
     Need::OFFERED},
    {"configfs", "/sys/kernel/config", MS_NOSUID | MS_NODEV | MS_NOEXEC, "", Need::OFFERED},
};

// The first component of every target that is moved into the real root: the mounts below come along.
constexpr const char* MOVED_MOUNTS[] = {"/proc", "/sys", "/dev", "/run"};

// Mounts a table, making mount points as needed; what is mounted already stays.  Throws if a required
// one fails, or at the end if a wanted one did.
void mountKernelFileSystems(kj::ArrayPtr<const KernelMount> table);

}  // namespace bothy
