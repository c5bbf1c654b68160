#include "vm/accelerator-probe.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/filesystem.h>

#include "loop/child-process.h"
#include "vm/probe-guest.h"

namespace bothy {
namespace {

using Accelerator = HostAbilities::Accelerator;

kj::Own<const kj::Directory> openDirectory(kj::StringPtr path) {
  auto fs = kj::newDiskFilesystem();
  return fs->getRoot().openSubdir(fs->getCurrentPath().evalNative(path),
                                  kj::WriteMode::CREATE | kj::WriteMode::MODIFY);
}

kj::String bootId() {
  auto fs = kj::newDiskFilesystem();
  return fs->getRoot()
      .openFile(kj::Path({"proc", "sys", "kernel", "random", "boot_id"}))
      ->readAllText();
}

void replaceFile(const kj::Directory& directory, kj::StringPtr name,
                 kj::ArrayPtr<const kj::byte> bytes) {
  auto file =
      directory.replaceFile(kj::Path(kj::str(name)), kj::WriteMode::CREATE | kj::WriteMode::MODIFY);
  file->get().writeAll(bytes);
  file->commit();
}

kj::String encode(const AcceleratorFinding& finding) {
  return kj::str(bootId(), finding.accelerator == Accelerator::KVM ? "kvm" : "tcg", "\n",
                 finding.reason, "\n");
}

kj::Maybe<AcceleratorFinding> decode(kj::StringPtr text) {
  auto boot = bootId();
  if (!text.startsWith(boot)) return nullptr;
  text = text.slice(boot.size());
  if (text == "kvm\n\n") return AcceleratorFinding{Accelerator::KVM, nullptr};
  if (!text.startsWith("tcg\n") || !text.endsWith("\n") || text.size() < 6) return nullptr;
  return AcceleratorFinding{Accelerator::TCG, kj::heapString(text.begin() + 4, text.size() - 5)};
}

}  // namespace

kj::Maybe<uint32_t> kvmGroup(uint32_t user) {
  struct stat stats;
  if (stat("/dev/kvm", &stats) < 0) return nullptr;
  auto may = [&](mode_t bits) { return (stats.st_mode & bits) == bits; };
  if (may(S_IROTH | S_IWOTH)) return user;
  if (may(S_IRGRP | S_IWGRP) && stats.st_gid != 0) return static_cast<uint32_t>(stats.st_gid);
  return nullptr;
}

kj::Promise<kj::Maybe<kj::String>> runProbeGuest(kj::UnixEventPort& port, Subreaper& reaper,
                                                 kj::StringPtr emulator, kj::StringPtr accelerator,
                                                 kj::StringPtr rom, uint32_t user, uint32_t group,
                                                 kj::Duration limit) {
  auto arguments = kj::heapArrayBuilder<kj::String>(16);
  for (auto argument : {"-machine", "q35", "-accel"}) arguments.add(kj::str(argument));
  arguments.add(kj::str(accelerator));
  for (auto argument : {"-m", "16", "-nodefaults", "-no-user-config", "-display", "none",
                        "-sandbox", "on", "-device"}) {
    arguments.add(kj::str(argument));
  }
  arguments.add(kj::str("isa-debug-exit,iosize=1,iobase=", PROBE_GUEST_PORT));
  arguments.add(kj::str("-bios"));
  arguments.add(kj::str(rom));
  auto qemu =
      ChildProcess::spawn(port, reaper,
                          ChildSpec{emulator, arguments.finish(), ChildSpec::Owner{user, group},
                                    nullptr, ChildSpec::Lifetime::OWNED});
  auto timeout = port.getTimer().afterDelay(limit).then([]() -> kj::Maybe<int> { return nullptr; });
  auto status = co_await qemu->onExit()
                    .then([](int status) -> kj::Maybe<int> { return status; })
                    .exclusiveJoin(kj::mv(timeout));
  KJ_IF_MAYBE (known, status) {
    if (WIFEXITED(*known) && WEXITSTATUS(*known) == PROBE_GUEST_EXIT) co_return nullptr;
    if (WIFSIGNALED(*known)) {
      co_return kj::str("QEMU was ended by signal ", WTERMSIG(*known), " when it ran a guest");
    }
    co_return kj::str("QEMU could not run a guest and exited with ", WEXITSTATUS(*known));
  }
  co_return kj::str("a guest of a few instructions had not ended after ", limit / kj::SECONDS,
                    " s");
}

kj::Promise<AcceleratorFinding> probeAccelerator(kj::UnixEventPort& port, Subreaper& reaper,
                                                 kj::StringPtr emulator, kj::StringPtr stateDir,
                                                 uint32_t user) {
  auto tcg = [](kj::StringPtr reason) {
    return AcceleratorFinding{Accelerator::TCG, kj::str(reason)};
  };
  if (access("/dev/kvm", F_OK) < 0) co_return tcg("there is no /dev/kvm");
  uint32_t group;
  KJ_IF_MAYBE (found, kvmGroup(user)) {
    group = *found;
  } else {
    co_return tcg("/dev/kvm is open to root alone, and machines do not run as root");
  }

  auto directory = openDirectory(stateDir);
  kj::Path cache("accelerator");
  KJ_IF_MAYBE (file, directory->tryOpenFile(cache)) {
    KJ_IF_MAYBE (finding, decode((*file)->readAllText())) {
      co_return kj::mv(*finding);
    }
  }
  auto rom = kj::str(stateDir, "/probe.rom");
  replaceFile(*directory, "probe.rom", probeGuestRom());
  KJ_SYSCALL(chmod(rom.cStr(), 0444));
  auto failure = co_await runProbeGuest(port, reaper, emulator, "kvm", rom, user, group,
                                        ACCELERATOR_PROBE_LIMIT);
  AcceleratorFinding finding{Accelerator::KVM, nullptr};
  KJ_IF_MAYBE (reason, failure) {
    finding = tcg(kj::str("/dev/kvm runs no guest: ", *reason));
  }
  replaceFile(*directory, "accelerator", encode(finding).asBytes());
  co_return kj::mv(finding);
}

}  // namespace bothy
