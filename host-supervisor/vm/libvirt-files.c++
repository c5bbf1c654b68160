#include "vm/libvirt-files.h"

#include <errno.h>
#include <fcntl.h>
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

constexpr size_t MASTER_KEY_BYTES = 32;

constexpr kj::StringPtr MONITOR = "monitor.sock"_kj;

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

kj::String directoriesIn(kj::StringPtr root) {
  return kj::str(root, "/lib/qemu");
}

constexpr kj::StringPtr DIRECTORY = "domain-"_kj;

kj::Maybe<DomainDirectory> domainDirectory(kj::StringPtr root, kj::StringPtr domain) {
  auto path = kj::str(directoriesIn(root), "/", DIRECTORY, domain);
  struct stat stats;
  if (lstat(path.cStr(), &stats) < 0 || !S_ISDIR(stats.st_mode)) return nullptr;
  return DomainDirectory{kj::mv(path), kj::str(domain), stats.st_gid};
}

}  // namespace

kj::Array<DomainDirectory> listDomainDirectories(kj::StringPtr root, kj::StringPtr suffix) {
  namespace stdfs = std::filesystem;
  kj::Vector<DomainDirectory> found;
  auto all = directoriesIn(root);
  if (!stdfs::exists(all.cStr())) return nullptr;
  for (auto& entry : stdfs::directory_iterator(all.cStr())) {
    auto name = kj::str(entry.path().filename().c_str());
    if (!name.startsWith(DIRECTORY) || !name.endsWith(suffix)) continue;
    KJ_IF_MAYBE (directory, domainDirectory(root, name.slice(DIRECTORY.size()))) {
      found.add(kj::mv(*directory));
    }
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

void LibvirtFiles::removeControlGroups(const kj::Maybe<MachinePlaces>& places) const {
  for (auto& mount : controlGroupMounts()) {
    KJ_IF_MAYBE (p, places) {
      for (auto& group : p->groups) removeControlGroup(mount, group);
    } else {
      bothy::removeControlGroups(mount, machine);
    }
  }
}

void LibvirtFiles::removeDirectories(kj::StringPtr root,
                                     const kj::Maybe<MachinePlaces>& places) const {
  kj::Vector<DomainDirectory> directories;
  KJ_IF_MAYBE (p, places) {
    for (auto& domain : p->domains) {
      KJ_IF_MAYBE (directory, domainDirectory(root, domain)) directories.add(kj::mv(*directory));
    }
  } else {
    for (auto& found : listDomainDirectories(root, nameEnd(machine))) {
      directories.add(kj::mv(found));
    }
  }
  for (auto& own : directories) {
    if (!isOurs(own)) continue;
    removeTree(own.path);
    // And that of its memory, which is empty.
    removeTree(kj::str(root, "/lib/qemu/ram/", own.domain));
  }
}

void LibvirtFiles::removeRest(const kj::Maybe<MachinePlaces>& places) const {
  KJ_IF_MAYBE (directory, root) {
    removeControlGroups(places);
    removeIfThere(kj::str(*directory, "/log/qemu/", machine, ".log"));
    // libvirt gives up at a tree whose paths are too long.
    removeDirectories(*directory, places);
    if (!isWithheld()) return;
    removeIfThere(pidFile());
    removeIfThere(inRun(*directory, machine, WITHHELD));
  }
}

}  // namespace bothy
