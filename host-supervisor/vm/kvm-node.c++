#include "vm/kvm-node.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/string.h>

namespace bothy {
namespace {

// Where the new nodes are made; any directory that exists and is not used by this program.
constexpr kj::StringPtr STAGE = "/mnt"_kj;

// Shows `name` of /dev below STAGE.
void show(kj::StringPtr name) {
  auto from = kj::str("/dev/", name);
  auto to = kj::str(STAGE, "/", name);
  struct stat stats;
  if (lstat(from.cStr(), &stats) < 0) return;  // devices come and go
  if (S_ISLNK(stats.st_mode)) {
    char target[4096];
    ssize_t size;
    KJ_SYSCALL(size = readlink(from.cStr(), target, sizeof(target) - 1));
    target[size] = '\0';
    KJ_SYSCALL(symlink(target, to.cStr()));
    return;
  }
  if (S_ISDIR(stats.st_mode)) {
    KJ_SYSCALL(mkdir(to.cStr(), stats.st_mode & 07777));
  } else {
    int fd;
    KJ_SYSCALL(fd = open(to.cStr(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    close(fd);
  }
  KJ_SYSCALL(mount(from.cStr(), to.cStr(), nullptr, MS_BIND | MS_REC, nullptr), name);
}

// The whole of /dev is another: a mount over a name does not take the name away.
void hide() {
  DIR* directory = opendir("/dev");
  KJ_REQUIRE(directory != nullptr, "/dev cannot be read");
  KJ_DEFER(closedir(directory));
  while (dirent* entry = readdir(directory)) {
    kj::StringPtr name = entry->d_name;
    if (name != "." && name != ".." && name != "kvm") show(name);
  }
  KJ_SYSCALL(mount(STAGE.cStr(), "/dev", nullptr, MS_MOVE, nullptr));
}

void openToAll(const struct stat& hosts) {
  auto node = kj::str(STAGE, "/kvm");
  KJ_SYSCALL(mknod(node.cStr(), S_IFCHR, hosts.st_rdev));
  KJ_SYSCALL(chmod(node.cStr(), 0666));
  KJ_SYSCALL(mount(node.cStr(), "/dev/kvm", nullptr, MS_BIND, nullptr));
  KJ_SYSCALL(umount2(STAGE.cStr(), MNT_DETACH));
}

}  // namespace

void provideKvm(KvmNode node) {
  struct stat hosts;
  if (node == KvmNode::HOSTS || stat("/dev/kvm", &hosts) < 0) return;
  KJ_SYSCALL(unshare(CLONE_NEWNS));
  KJ_SYSCALL(mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr));
  KJ_SYSCALL(mount("dev", STAGE.cStr(), "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=0755,size=1m"));
  if (node == KvmNode::HIDDEN) {
    hide();
  } else {
    openToAll(hosts);
  }
}

}  // namespace bothy
