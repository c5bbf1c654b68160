#include "vm/libvirt-root.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/filesystem.h>

#include "vm/libvirt-files.h"
#include "vm/machine-confinement.h"
#include "vm/machine-record.h"

namespace bothy {
namespace {

// libvirt's own settings: QEMU's log is a file (no virtlogd here), its sandbox is on, files are given
// back to nobody, and there are no cores (libvirt would raise the limit, or fail where it may not).  It
// does not ask QEMU at each start which features of the CPU are not there: that is 300 commands, half a second.  The
// user is the one that asks QEMU for its abilities and owns libvirt's directories; no machine has it.
kj::String qemuSettings(uint32_t user) {
  auto limits = emulatorLimits();
  // libvirt gives one more file than it is told.
  return kj::str("stdio_handler = \"file\"\nuser = \"+", user, "\"\ngroup = \"+", user,
                 "\"\nmax_processes = ", limits.processes, "\nmax_files = ", limits.files - 1, R"(
seccomp_sandbox = 1
capability_filters = [ "cpu-unavailable-features" ]
remember_owner = 0
max_core = 0
dump_guest_core = 0
)");
}

// libvirt's root.  QEMU's user passes to the directory of its machine, and nobody to anything else: what is not
// made here libvirt makes, private to its owner.
void prepareRoot(kj::StringPtr root, kj::StringPtr settings) {
  auto make = [&](kj::StringPtr name, mode_t mode) {
    auto path = kj::str(root, name);
    if (mkdir(path.cStr(), mode) < 0 && errno != EEXIST) KJ_FAIL_SYSCALL("mkdir", errno, path);
    KJ_SYSCALL(chmod(path.cStr(), mode), path);
  };
  make("", 0711);
  make("/lib", 0711);
  make("/lib/qemu", 0711);
  make("/etc", 0700);
  auto fs = kj::newDiskFilesystem();
  auto path = fs->getCurrentPath().evalNative(root).append(kj::Path({"etc", "qemu.conf"}));
  auto file = fs->getRoot().replaceFile(
      path, kj::WriteMode::CREATE | kj::WriteMode::MODIFY | kj::WriteMode::PRIVATE);
  file->get().writeAll(settings);
  file->commit();
}

// libvirt connects to all machines that it knows when it starts, and ends those that it cannot reach.
void admitMonitors(const LibvirtDriverSettings& settings) {
  auto directories = listDomainDirectories(libvirtRoot(settings));
  for (auto& name : MachineRecord::list(settings.stateDir)) {
    KJ_IF_MAYBE (record, MachineRecord::load(settings.stateDir, name)) {
      if (!LibvirtFiles(settings, name, record->uid).admitMonitor(directories)) {
        KJ_LOG(ERROR, "a machine's monitor was swapped: the machine is not taken over", name);
      }
    }
  }
}

// libvirt finds out once what QEMU can do, which takes a second, and knows itself when that does not hold any more (another QEMU,
// libvirt or kernel).  It outlives a boot of the host in `place`; `root` does not.
void keepAbilities(kj::StringPtr root, kj::StringPtr place) {
  auto link = kj::str(root, "/cache");
  if (mkdir(place.cStr(), 0700) < 0 && errno != EEXIST) KJ_FAIL_SYSCALL("mkdir", errno, place);
  struct stat stats;
  if (lstat(link.cStr(), &stats) == 0) {
    // A directory is of a bothyd that kept nothing, and goes with the boot.
    if (!S_ISLNK(stats.st_mode)) return;
    KJ_SYSCALL(unlink(link.cStr()), link);
  }
  KJ_SYSCALL(symlink(place.cStr(), link.cStr()), link);
}

}  // namespace

kj::String libvirtRoot(const LibvirtDriverSettings& settings) {
  return kj::str(settings.runtimeDir, "/libvirt");
}

LibvirtSession::Place prepareLibvirtRoot(const LibvirtDriverSettings& settings) {
  auto root = libvirtRoot(settings);
  prepareRoot(root, qemuSettings(settings.probeUser));
  admitMonitors(settings);
  keepAbilities(root, kj::str(settings.stateDir, "/qemu-abilities"));
  return {kj::str("qemu:///embed?root=", root), kj::str("secret:///embed?root=", root)};
}

}  // namespace bothy
