#include "vm/kvm-node.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/function.h>
#include <kj/io.h>
#include <kj/thread.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

bool opens(const char* path) {
  kj::AutoCloseFd file(open(path, O_RDWR | O_CLOEXEC));
  return file.get() >= 0;
}

// 0: there is none.
mode_t modeOfKvm() {
  struct stat stats;
  return stat("/dev/kvm", &stats) < 0 ? 0 : stats.st_mode;
}

// Runs `func` on a thread of a host whose /dev has `null`, and a `kvm` for root and a group; what is behind it is the
// null device.
void onHostWithKvm(kj::Function<void()> func) {
  kj::Thread thread([&]() {
    KJ_SYSCALL(unshare(CLONE_NEWNS));
    KJ_SYSCALL(mount(nullptr, "/", nullptr, MS_PRIVATE | MS_REC, nullptr));
    KJ_SYSCALL(mount("dev", "/dev", "tmpfs", 0, nullptr));
    for (auto path : {"/dev/null", "/dev/kvm"}) {
      KJ_SYSCALL(mknod(path, S_IFCHR, makedev(1, 3)));
      KJ_SYSCALL(chmod(path, 0660));
    }
    func();
  });
}

TEST_CASE("a thread that hides KVM keeps the other devices, and the others keep KVM") {
  if (getuid() != 0) SKIP("a mount namespace takes root");
  onHostWithKvm([]() {
    {
      kj::Thread thread([]() {
        provideKvm(KvmNode::HIDDEN);
        CHECK(modeOfKvm() == 0);
        CHECK(opens("/dev/null"));
      });
    }
    CHECK(modeOfKvm() == (S_IFCHR | 0660));
  });
}

TEST_CASE("S20 a thread opens KVM to all users for the machines it starts, and not for the host") {
  if (getuid() != 0) SKIP("a mount namespace takes root");
  onHostWithKvm([]() {
    {
      kj::Thread thread([]() {
        provideKvm(KvmNode::OPEN);
        CHECK(modeOfKvm() == (S_IFCHR | 0666));
        CHECK(opens("/dev/kvm"));
        CHECK(opens("/dev/null"));
      });
    }
    CHECK(modeOfKvm() == (S_IFCHR | 0660));
  });
}

}  // namespace
}  // namespace bothy
