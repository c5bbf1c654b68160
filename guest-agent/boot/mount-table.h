#pragma once

#include <kj/string.h>
#include <sys/mount.h>

#include "boot/console.h"

namespace bothy {

enum class Need {
  REQUIRED,  // without it there is no boot
  WANTED,    // its absence is told, and boot goes on
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
    {"mqueue", "/dev/mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, "", Need::WANTED},
    {"tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755,size=25%", Need::REQUIRED},
    {"cgroup2", "/sys/fs/cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC,
     "nsdelegate,memory_recursiveprot", Need::WANTED},
};

// The first component of every target that is moved into the real root: the mounts below come along.
constexpr const char* MOVED_MOUNTS[] = {"/proc", "/sys", "/dev", "/run"};

// Mounts the table, making mount points as needed; what is mounted already stays.  Throws if a required
// one fails.
void mountKernelFileSystems(Console& console);

// The links that devtmpfs lacks: /dev/fd, /dev/stdin, /dev/stdout, /dev/stderr.
void linkDeviceNames();

}  // namespace bothy
