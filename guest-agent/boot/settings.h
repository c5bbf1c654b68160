#pragma once

#include "boot/console.h"

namespace bothy {

// A value below /proc/sys.
struct KernelSetting {
  const char* path;
  const char* value;
};

// What the guest's kernel is told at every boot.  One that the kernel does not have is passed over.
constexpr KernelSetting KERNEL_SETTINGS[] = {
    // Nobody types into another's terminal (S41).
    {"/proc/sys/dev/tty/legacy_tiocsti", "0"},
    {"/proc/sys/dev/tty/ldisc_autoload", "0"},
    // A process may trace its descendants only.
    {"/proc/sys/kernel/yama/ptrace_scope", "1"},
    {"/proc/sys/kernel/kptr_restrict", "1"},
    {"/proc/sys/kernel/dmesg_restrict", "1"},
    {"/proc/sys/kernel/unprivileged_bpf_disabled", "2"},
    {"/proc/sys/net/core/bpf_jit_harden", "1"},
    {"/proc/sys/fs/protected_hardlinks", "1"},
    {"/proc/sys/fs/protected_symlinks", "1"},
    {"/proc/sys/fs/protected_fifos", "1"},
    {"/proc/sys/fs/protected_regular", "2"},
    {"/proc/sys/fs/suid_dumpable", "0"},
    {"/proc/sys/kernel/core_pattern", "core"},
    // What editors and build tools need of file watches; the memory is accounted to who uses it.
    {"/proc/sys/fs/inotify/max_user_watches", "524288"},
    {"/proc/sys/fs/inotify/max_user_instances", "1024"},
    {"/proc/sys/vm/max_map_count", "262144"},
};

void applyKernelSettings(Console& console);

// The control group below which programs run, each in one of its own, and the agent in "agent".
constexpr const char* PROGRAMS_CONTROL_GROUP = "/sys/fs/cgroup/bothy";

// Protects the agent from what its guest does to files and processor: a control group of its own, enough
// descriptors.  From the OOM killer the kernel protects its first process itself.  What the kernel refuses is told.
void shieldAgent(Console& console);

}  // namespace bothy
