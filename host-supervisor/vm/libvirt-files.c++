#include "vm/libvirt-files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>
#include <kj/vector.h>

#include <filesystem>

#include "loop/tree-removal.h"
#include "vm/control-groups.h"
#include "vm/machine-files.h"

namespace bothy {
namespace {

// What libvirt takes of a domain's name into the name of its directory.
constexpr size_t SHORT_NAME_CHARS = 20;
constexpr size_t MASTER_KEY_BYTES = 32;

constexpr kj::StringPtr MONITOR = "monitor.sock"_kj;

kj::String shortName(kj::StringPtr machine) {
  return kj::heapString(machine.slice(0, kj::min(machine.size(), SHORT_NAME_CHARS)));
}

// Of the directory of a domain, "domain-NUMBER-NAME".
kj::String nameEnd(kj::StringPtr machine) {
  return kj::str("-", shortName(machine));
}

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

// From now on the machine's user passes through and changes nothing.
kj::AutoCloseFd closeDirectory(kj::StringPtr path, uint32_t user) {
  int fd;
  KJ_SYSCALL(fd = open(path.cStr(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), path);
  kj::AutoCloseFd directory(fd);
  KJ_SYSCALL(fchown(directory, 0, user), path);
  KJ_SYSCALL(fchmod(directory, 0710), path);
  return directory;
}

// None at all is not swapped: libvirt then finds out for itself that QEMU has ended.
bool isMonitorSwapped(int directory) {
  struct stat stats;
  if (fstatat(directory, MONITOR.cStr(), &stats, AT_SYMLINK_NOFOLLOW) < 0) {
    int error = errno;
    if (error == ENOENT) return false;
    KJ_FAIL_SYSCALL("fstatat", error);
  }
  // libvirt has made it, as root, with one name.
  return !S_ISSOCK(stats.st_mode) || stats.st_uid != 0 || stats.st_nlink != 1;
}

void moveIfThere(kj::StringPtr from, kj::StringPtr to) {
  if (rename(from.cStr(), to.cStr()) < 0 && errno != ENOENT) {
    KJ_FAIL_SYSCALL("rename", errno, from, to);
  }
}

void removeIfThere(kj::StringPtr path) {
  if (unlink(path.cStr()) < 0 && errno != ENOENT) KJ_FAIL_SYSCALL("unlink", errno, path);
}

kj::String inRun(kj::StringPtr root, kj::StringPtr machine, kj::StringPtr suffix) {
  return kj::str(root, "/run/qemu/", machine, suffix);
}

// libvirt reads what ends in .xml.
constexpr kj::StringPtr STATUS = ".xml"_kj;
constexpr kj::StringPtr WITHHELD = ".withheld"_kj;

}  // namespace

kj::Array<DomainDirectory> listDomainDirectories(kj::StringPtr root, kj::StringPtr suffix) {
  namespace stdfs = std::filesystem;
  kj::Vector<DomainDirectory> found;
  auto all = kj::str(root, "/lib/qemu");
  if (!stdfs::exists(all.cStr())) return nullptr;
  for (auto& entry : stdfs::directory_iterator(all.cStr())) {
    const auto name = entry.path().filename().string();
    if (!name.starts_with("domain-") || !name.ends_with(suffix.cStr())) continue;
    struct stat stats;
    if (lstat(entry.path().c_str(), &stats) < 0 || !S_ISDIR(stats.st_mode)) continue;
    found.add(DomainDirectory{kj::str(entry.path().c_str()), stats.st_gid});
  }
  return found.releaseAsArray();
}

LibvirtFiles::LibvirtFiles(const LibvirtDriverSettings& settings, kj::StringPtr machine,
                           uint32_t user)
    : machine(kj::str(machine)), user(user) {
  if (settings.uri.size() == 0) root = libvirtRoot(settings);
}

kj::String LibvirtFiles::pidFile() const {
  KJ_IF_MAYBE (directory, root) return inRun(*directory, machine, ".pid");
  return kj::str("/run/libvirt/qemu/", machine, ".pid");
}

void LibvirtFiles::makePrivate(int number) const {
  KJ_IF_MAYBE (directory, root) {
    auto domain = kj::str(number, "-", shortName(machine));
    auto own = kj::str(*directory, "/lib/qemu/domain-", domain);
    closeDirectory(own, user);
    // For what no machine of ours has: memory in files, and sockets of channels.
    for (auto place : {"/lib/qemu/ram/", "/run/qemu/channel/"}) {
      auto empty = kj::str(*directory, place, domain);
      if (access(empty.cStr(), F_OK) == 0) closeDirectory(empty, user);
    }
    eraseKey(kj::str(own, "/master-key.aes"));
    bothy::makePrivate(kj::str(own, "/", MONITOR));
    bothy::makePrivate(pidFile());
  }
}

bool LibvirtFiles::isOurs(const DomainDirectory& directory) const {
  return directory.group == user && directory.path.endsWith(nameEnd(machine));
}

bool LibvirtFiles::admitMonitor(kj::ArrayPtr<const DomainDirectory> directories) const {
  KJ_IF_MAYBE (directory, root) {
    bool isSwapped = false;
    for (auto& own : directories) {
      // Looked at when nobody can change it any more.
      if (isOurs(own) && isMonitorSwapped(closeDirectory(own.path, user))) isSwapped = true;
    }
    auto status = inRun(*directory, machine, STATUS);
    auto withheld = inRun(*directory, machine, WITHHELD);
    if (isSwapped) {
      moveIfThere(status, withheld);
    } else {
      moveIfThere(withheld, status);
    }
    return !isSwapped;
  }
  return true;
}

bool LibvirtFiles::isWithheld() const {
  KJ_IF_MAYBE (directory, root) {
    return access(inRun(*directory, machine, WITHHELD).cStr(), F_OK) == 0;
  }
  return false;
}

void LibvirtFiles::removeRest() const {
  KJ_IF_MAYBE (directory, root) {
    for (auto& mount : controlGroupMounts()) removeControlGroups(mount, machine);
    removeIfThere(kj::str(*directory, "/log/qemu/", machine, ".log"));
    // libvirt gives up at a tree whose paths are too long.
    for (auto& own : listDomainDirectories(*directory, nameEnd(machine))) {
      if (!isOurs(own)) continue;
      removeTree(own.path);
      // And that of its memory, "ram/NUMBER-NAME", which is empty.
      auto slash = KJ_ASSERT_NONNULL(own.path.findLast('/'));
      auto name = own.path.slice(slash + strlen("/domain-"));
      removeTree(kj::str(*directory, "/lib/qemu/ram/", name));
    }
    if (!isWithheld()) return;
    removeIfThere(pidFile());
    removeIfThere(inRun(*directory, machine, WITHHELD));
  }
}

}  // namespace bothy
