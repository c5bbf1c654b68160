#include "vm/seccomp-profile.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>

namespace bothy {
namespace {

class Filter final {
public:
  Filter() : context(seccomp_init(SCMP_ACT_ALLOW)) {
    KJ_REQUIRE(context != nullptr, "libseccomp makes no filter");
  }
  ~Filter() { seccomp_release(context); }
  KJ_DISALLOW_COPY_AND_MOVE(Filter);

  // `call` fails with `error`; where conditions are given, only if all of them hold.
  template <typename... Conditions>
  void refuse(const char* call, int error, Conditions... conditions) {
    int number = seccomp_syscall_resolve_name(call);
    // An older libseccomp does not know all of them, nor an architecture have them.
    if (number == __NR_SCMP_ERROR || number < 0) return;
    int failure = seccomp_rule_add(context, SCMP_ACT_ERRNO(error), number, sizeof...(conditions),
                                   conditions...);
    if (failure < 0) KJ_FAIL_SYSCALL("seccomp_rule_add", -failure, call);
  }

  kj::Array<const kj::byte> instructions() const {
    int raw;
    KJ_SYSCALL(raw = memfd_create("filter", MFD_CLOEXEC));
    kj::AutoCloseFd file(raw);
    int failure = seccomp_export_bpf(context, file);
    if (failure < 0) KJ_FAIL_SYSCALL("seccomp_export_bpf", -failure);
    off_t size;
    KJ_SYSCALL(size = lseek(file, 0, SEEK_END));
    auto bytes = kj::heapArray<kj::byte>(size);
    ssize_t got;
    KJ_SYSCALL(got = pread(file, bytes.begin(), bytes.size(), 0));
    KJ_REQUIRE(got == size && size > 0, "the filter of system calls is not whole", got, size);
    return kj::mv(bytes);
  }

private:
  scmp_filter_ctx context;
};

constexpr const char* REFUSED[] = {
    // Other programs and processes; its own is executed by execve().
    "fork", "vfork", "execveat", "ptrace", "process_vm_readv", "process_vm_writev",
    "process_madvise", "pidfd_getfd", "kcmp",
    // Memory that outlives it, or that no limit counts.
    "shmget", "shmat", "msgget", "semget", "mq_open",
    // Namespaces and mounts.
    "unshare", "setns", "chroot", "pivot_root", "mount", "umount2", "fsopen", "fsconfig", "fsmount",
    "fspick", "move_mount", "open_tree", "mount_setattr", "name_to_handle_at", "open_by_handle_at",
    // Large parts of the kernel.  io_uring would also get past this filter.
    "io_uring_setup", "io_uring_enter", "io_uring_register", "bpf", "perf_event_open",
    "userfaultfd", "add_key", "request_key", "keyctl", "kexec_load", "kexec_file_load",
    "init_module", "finit_module", "delete_module", "personality", "modify_ldt", "quotactl",
    "swapon", "swapoff", "reboot", "acct", "syslog", "fanotify_init", "lookup_dcookie"};

}  // namespace

kj::Array<const kj::byte> vsockDeviceFilter() {
  Filter filter;
  for (auto call : REFUSED) filter.refuse(call, EPERM);
  filter.refuse("socket", EAFNOSUPPORT, SCMP_A0(SCMP_CMP_NE, AF_UNIX, 0));
  filter.refuse("socketpair", EAFNOSUPPORT, SCMP_A0(SCMP_CMP_NE, AF_UNIX, 0));
  // A thread is no new process.  The arguments of clone3() are in memory, where no filter sees them: glibc does without it.
  filter.refuse("clone", EPERM, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
  filter.refuse("clone3", ENOSYS);
  return filter.instructions();
}

}  // namespace bothy
