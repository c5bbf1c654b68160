#pragma once

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
    // Everybody may ping, without a program that is set-uid.
    {"/proc/sys/net/ipv4/ping_group_range", "0 2147483647"},
    // As 64-bit systems have it: numbers of processes are not used again soon.
    {"/proc/sys/kernel/pid_max", "4194304"},
    // A kernel that has met a bug does not limp on: it tells the host, and the machine ends.
    {"/proc/sys/kernel/panic_on_oops", "1"},
    // Users may profile their own programs, not the kernel.
    {"/proc/sys/kernel/perf_event_paranoid", "2"},
    // What editors and build tools need of file watches; the memory is accounted to who uses it.
    {"/proc/sys/fs/inotify/max_user_watches", "524288"},
    {"/proc/sys/fs/inotify/max_user_instances", "1024"},
    {"/proc/sys/vm/max_map_count", "262144"},
    // A list of all processes, each time that one is ended for want of memory, holds the machine up for as long as a slow console takes.
    {"/proc/sys/vm/oom_dump_tasks", "0"},
};

// Throws at the end if one could not be set.
void applyKernelSettings();

// The agent may have more files open than the kernel lets its first process (1024): what it serves takes some each.
// Programs have a limit of their own, see process/program-limits.h.
void raiseOpenFileLimit();

}  // namespace bothy
