#include "vm/seccomp-profile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

// errno of a raw system call, made in a process that has the filter; 0 where it succeeds.
int errorUnderFilter(long call, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) {
  auto filter = vsockDeviceFilter();
  sock_fprog program{static_cast<unsigned short>(filter.size() / sizeof(sock_filter)),
                     reinterpret_cast<sock_filter*>(const_cast<kj::byte*>(filter.begin()))};
  pid_t child;
  KJ_SYSCALL(child = fork());
  if (child == 0) {
    // SAFETY: system calls alone.
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) _exit(254);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) _exit(255);
    _exit(syscall(call, a, b, c, d, e, 0L) < 0 ? errno : 0);
  }
  int status;
  KJ_SYSCALL(waitpid(child, &status, 0));
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

TEST_CASE("S21 a vsock device has Unix sockets and no other ones") {
  CHECK(errorUnderFilter(SYS_socket, AF_UNIX, SOCK_STREAM) == 0);
  for (int family : {AF_INET, AF_INET6, AF_VSOCK, AF_NETLINK, AF_PACKET, AF_ALG}) {
    INFO(family);
    CHECK(errorUnderFilter(SYS_socket, family, SOCK_STREAM) == EAFNOSUPPORT);
  }
}

TEST_CASE("S21 a vsock device makes no process, and does not look into others") {
  CHECK(errorUnderFilter(SYS_fork) == EPERM);
  CHECK(errorUnderFilter(SYS_vfork) == EPERM);
  CHECK(errorUnderFilter(SYS_clone, SIGCHLD) == EPERM);
  CHECK(errorUnderFilter(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD) == EPERM);
  CHECK(errorUnderFilter(SYS_clone3, 0, 88) == ENOSYS);
  // The kernel's own refusal: a thread shares memory.
  CHECK(errorUnderFilter(SYS_clone, CLONE_THREAD) == EINVAL);
  // PTRACE_TRACEME.
  CHECK(errorUnderFilter(SYS_ptrace, 0) == EPERM);
  CHECK(errorUnderFilter(SYS_process_vm_readv, getpid()) == EPERM);
}

TEST_CASE("S21 a vsock device has no use of namespaces, io_uring and the like") {
  CHECK(errorUnderFilter(SYS_unshare, CLONE_NEWUSER) == EPERM);
  CHECK(errorUnderFilter(SYS_io_uring_setup, 1) == EPERM);
  CHECK(errorUnderFilter(SYS_userfaultfd, O_CLOEXEC) == EPERM);
  CHECK(errorUnderFilter(SYS_bpf) == EPERM);
  CHECK(errorUnderFilter(SYS_getpid) == 0);
}

}  // namespace
}  // namespace bothy
