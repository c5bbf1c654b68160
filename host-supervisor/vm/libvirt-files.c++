#include "vm/libvirt-files.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>

#include "vm/control-groups.h"
#include "vm/machine-files.h"

namespace bothy {
namespace {

// What libvirt takes of a domain's name into the name of its directory.
constexpr size_t SHORT_NAME_CHARS = 20;
constexpr size_t MASTER_KEY_BYTES = 32;

// libvirt wants to find a key of this size when it takes over the machine again, and uses it for devices with
// secrets that are plugged: there are none such.
void eraseKey(kj::StringPtr path) {
  int fd;
  KJ_SYSCALL(fd = open(path.cStr(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), path);
  kj::AutoCloseFd file(fd);
  const kj::byte zeros[MASTER_KEY_BYTES] = {};
  ssize_t written;
  KJ_SYSCALL(written = pwrite(file, zeros, sizeof(zeros), 0), path);
  KJ_REQUIRE(written == sizeof(zeros), "libvirt's key of a machine was not erased whole", path);
}

}  // namespace

LibvirtFiles::LibvirtFiles(const LibvirtDriverSettings& settings, kj::StringPtr machine)
    : machine(kj::str(machine)) {
  if (settings.uri.size() == 0) root = kj::str(settings.runtimeDir, "/libvirt");
}

kj::String LibvirtFiles::pidFile() const {
  KJ_IF_MAYBE (directory, root) {
    return kj::str(*directory, "/run/qemu/", machine, ".pid");
  }
  return kj::str("/run/libvirt/qemu/", machine, ".pid");
}

void LibvirtFiles::makePrivate(int number) const {
  KJ_IF_MAYBE (directory, root) {
    auto shortName = machine.slice(0, kj::min(machine.size(), SHORT_NAME_CHARS));
    auto own = kj::str(*directory, "/lib/qemu/domain-", number, "-", shortName);
    eraseKey(kj::str(own, "/master-key.aes"));
    bothy::makePrivate(kj::str(own, "/monitor.sock"));
    bothy::makePrivate(pidFile());
  }
}

void LibvirtFiles::removeRest() const {
  KJ_IF_MAYBE (directory, root) {
    for (auto& mount : controlGroupMounts()) removeControlGroups(mount, machine);
    auto log = kj::str(*directory, "/log/qemu/", machine, ".log");
    if (unlink(log.cStr()) < 0 && errno != ENOENT) KJ_FAIL_SYSCALL("unlink", errno, log);
  }
}

}  // namespace bothy
