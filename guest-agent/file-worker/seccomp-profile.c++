#include "file-worker/seccomp-profile.h"

#include <errno.h>
#include <kj/debug.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/vm_sockets.h>

namespace bothy {
namespace {

constexpr int WORKER_CALLS[] = {
    // Memory, time, threads of none, the process itself.
    SCMP_SYS(brk), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(mprotect),
    SCMP_SYS(madvise), SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday), SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(set_tid_address),
    SCMP_SYS(rseq), SCMP_SYS(arch_prctl), SCMP_SYS(getrandom), SCMP_SYS(sched_yield),
    SCMP_SYS(uname), SCMP_SYS(umask), SCMP_SYS(prctl), SCMP_SYS(prlimit64), SCMP_SYS(getrlimit),
    SCMP_SYS(setrlimit), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getppid), SCMP_SYS(getuid),
    SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getgroups), SCMP_SYS(exit),
    SCMP_SYS(exit_group), SCMP_SYS(restart_syscall),
    // Signals.
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigtimedwait), SCMP_SYS(sigaltstack), SCMP_SYS(kill), SCMP_SYS(tgkill),
    SCMP_SYS(signalfd4),
    // Descriptors, and the lanes, which come as connected sockets.
    SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(pread64),
    SCMP_SYS(pwrite64), SCMP_SYS(lseek), SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(fcntl),
    SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(pipe2), SCMP_SYS(poll), SCMP_SYS(ppoll),
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2), SCMP_SYS(eventfd2), SCMP_SYS(socketpair), SCMP_SYS(sendto),
    SCMP_SYS(sendmsg), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(shutdown),
    SCMP_SYS(getsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
    // Files.
    SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(stat), SCMP_SYS(lstat),
    SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(statfs), SCMP_SYS(fstatfs),
    SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink),
    SCMP_SYS(readlinkat), SCMP_SYS(getdents64), SCMP_SYS(getcwd), SCMP_SYS(chdir), SCMP_SYS(fchdir),
    SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(rmdir), SCMP_SYS(unlink), SCMP_SYS(unlinkat),
    SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(linkat),
    SCMP_SYS(symlinkat), SCMP_SYS(chmod), SCMP_SYS(fchmod), SCMP_SYS(fchmodat), SCMP_SYS(utimensat),
    SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(flock), SCMP_SYS(fadvise64),
    SCMP_SYS(sync_file_range), SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(io_setup),
    SCMP_SYS(io_submit), SCMP_SYS(io_getevents), SCMP_SYS(io_destroy),
    // What packs and unpacks: started, collected, and confined further.
    SCMP_SYS(execve), SCMP_SYS(setsid), SCMP_SYS(wait4), SCMP_SYS(waitid), SCMP_SYS(seccomp)};

constexpr int REFUSED_TO_ARCHIVES[] = {
    SCMP_SYS(clone),    SCMP_SYS(execve),     SCMP_SYS(setsid),    SCMP_SYS(kill),
    SCMP_SYS(io_setup), SCMP_SYS(socketpair), SCMP_SYS(sendmsg),   SCMP_SYS(recvmsg),
    SCMP_SYS(sendto),   SCMP_SYS(recvfrom),   SCMP_SYS(setsockopt)};

// What Spawner needs of clone(2), and so no namespaces.  The arguments of clone3(2) cannot be seen by a filter: it is said not to be there.
constexpr uint64_t CLONE_FLAGS = CLONE_VM | CSIGNAL;

// What a lane's stream sets (wire/vsock-stream).  The agent has a descriptor of each lane, too, and by others its closing it could be made to
// wait: SO_LINGER.
struct SocketOption {
  int level;
  int name;
};
constexpr SocketOption LANE_OPTIONS[] = {{SOL_SOCKET, SO_RCVLOWAT},
                                         {AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE}};

enum class Arguments { ANY, OF_WORKER };

void load(uint32_t others, uint32_t listed, kj::ArrayPtr<const int> calls, Arguments arguments) {
  if (__has_feature(address_sanitizer)) return;
  auto filter = seccomp_init(others);
  KJ_REQUIRE(filter != nullptr, "no memory for a filter of system calls");
  KJ_DEFER(seccomp_release(filter));
  auto require = [](int result) {
    KJ_REQUIRE(result == 0, "no filter of system calls", strerror(-result));
  };
  // By halves: a list of so many would be gone through for each call that is not cached.
  require(seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2));
  for (auto call : calls) require(seccomp_rule_add(filter, listed, call, 0));
  if (arguments == Arguments::OF_WORKER) {
    require(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                             SCMP_A0(SCMP_CMP_MASKED_EQ, ~CLONE_FLAGS, 0)));
    require(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0));
    for (auto option : LANE_OPTIONS) {
      require(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), 2,
                               SCMP_A1(SCMP_CMP_EQ, static_cast<uint64_t>(option.level), 0),
                               SCMP_A2(SCMP_CMP_EQ, static_cast<uint64_t>(option.name), 0)));
    }
  }
  const int result = seccomp_load(filter);
  // A kernel without filters.
  if (result != -EINVAL) require(result);
}

}  // namespace

void allowCallsOfFileWorker() {
  load(SCMP_ACT_ERRNO(EPERM), SCMP_ACT_ALLOW, WORKER_CALLS, Arguments::OF_WORKER);
}

void refuseCallsOfArchiveWorker() {
  load(SCMP_ACT_ALLOW, SCMP_ACT_ERRNO(EPERM), REFUSED_TO_ARCHIVES, Arguments::ANY);
}

}  // namespace bothy
