#include "boot/boot.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <unistd.h>

#include "boot/boot-record.h"
#include "boot/boot-secret.h"
#include "boot/device-nodes.h"
#include "boot/disk-directories.h"
#include "boot/failure.h"
#include "boot/identity.h"
#include "boot/kernel-modules.h"
#include "boot/mount-table.h"
#include "boot/root.h"
#include "boot/runtime-directories.h"
#include "boot/settings.h"
#include "boot/sysctl-files.h"
#include "boot/temporary-files.h"
#include "process/text-file.h"

namespace bothy {
namespace {

constexpr kj::StringPtr IMAGE_NAME_FILE = "/usr/lib/bothy/image"_kj;
constexpr kj::StringPtr MACHINE_ID_FILE = "/etc/machine-id"_kj;
constexpr kj::StringPtr HOSTS_FILE = "/etc/hosts"_kj;

// Between the stages that come after the machine is ready.
constexpr kj::Duration LATE_PAUSE = 2 * kj::MILLISECONDS;

}  // namespace

ImageName parseImageName(kj::StringPtr text) {
  ImageName result;
  Lines lines(text.asArray());
  for (;;) {
    auto next = lines.next();
    if (next == nullptr) {
      return result;
    }
    auto line = kj::str(KJ_ASSERT_NONNULL(next));
    if (line.startsWith("name=")) {
      result.name = kj::str(trimmed(line.slice(5).asArray()));
    } else if (line.startsWith("version=")) {
      result.version = kj::str(trimmed(line.slice(8).asArray()));
    }
  }
}

Boot::Boot(Console& console) : console(console), log(console, kernelClock) {}

void Boot::openForHost(kj::Function<void()> listen) {
  if (!hasKernelModules()) {
    listen();
    return;
  }
  log.run("loaded the kernel's modules", [&]() {
    auto refusal = kj::runCatchingExceptions([]() { loadKernelModules(); });
    listen();
    KJ_IF_MAYBE (exception, refusal) {
      kj::throwFatalException(kj::mv(*exception));
    }
  });
}

void Boot::run() {
  log.run("mounted the kernel's file systems", []() { mountKernelFileSystems(KERNEL_MOUNTS); });
  openConsole();
  log.run("read the command line", [this]() { readCommandLine(); });
  log.run("read the secret", [this]() { secretBytes = readBootSecret(); });
  if (isInitramfs()) {
    assembleRoot();
  }
  prepareForPrograms();
  nameAll();
}

void Boot::readCommandLine() {
  commandLine = parseCommandLine(readTextFile("/proc/cmdline"));
  for (auto& complaint : commandLine.complaints) {
    console.say(complaint);
  }
}

void Boot::assembleRoot() {
  if (!log.run("mounted the image", []() { mountImage(); })) {
    diskState = DiskDamaged{kj::str("not tried: there is no image")};
    return;
  }
  mountDisk();
  joinRoot();
}

void Boot::mountDisk() {
  auto mounted = log.run("mounted the data disk", [this]() {
    diskState = mountData();
    KJ_IF_MAYBE (damaged, diskState.tryGet<DiskDamaged>()) {
      failStage(kj::str(damaged->reason));
    }
  });
  if (!mounted && !diskState.is<DiskDamaged>()) {
    diskState = DiskDamaged{kj::str("not mounted, and no memory in its place")};
  }
  KJ_IF_MAYBE (ready, diskState.tryGet<DiskReady>()) {
    KJ_IF_MAYBE (repair, ready->repair) {
      // It took place in the stage before, which has its time.
      if (repair->sound) {
        log.run(kj::str("had the data disk ", repair->report), []() {});
      } else {
        log.run("checked the data disk", [&]() { failStage(kj::str(repair->report)); });
      }
    }
  }
}

void Boot::joinRoot() {
  auto joined = log.run("mounted the root", []() { mountRoot(); });
  if (!joined && diskState.is<DiskReady>()) {
    diskState = DiskDamaged{kj::str("image and data disk cannot be joined into a root")};
    joined = log.run("mounted a root in memory", []() {
      mountMemoryForData();
      mountRoot();
    });
  }
  if (joined) {
    log.run("switched to the root", [this]() { data = switchRoot(); });
    KJ_IF_MAYBE (mount, data) {
      log.run("mounted the disk's own directories",
              [mount]() { mountDiskDirectories(mount->get()); });
    }
  }
}

void Boot::prepareForPrograms() {
  log.run("set the modes of devices", []() {
    linkDeviceNames();
    setDeviceModes();
  });
  log.run("made the directories of /run", []() { makeRuntimeDirectories(); });
  log.run("emptied /tmp", [this]() { oldTemporaryFiles = setAsideTemporaryFiles(TMP, OLD_TMP); });
  log.run("raised the limit of open files", []() { raiseOpenFileLimit(); });
  // Before the limits, which depend on them.
  log.run("applied the kernel's settings", []() { applyKernelSettings(); });
  log.run("made the control groups", [this]() { groups = makeControlGroups(); });
  KJ_IF_MAYBE (made, groups) {
    log.run("limited what programs take", [made]() { limitControlGroups(*made); });
  }
  log.run("raised the loopback interface", []() { raiseLoopback(); });
}

void Boot::nameAll() {
  log.run("named the machine", [this]() {
    nameMachine(commandLine.hostname.map([](kj::String& name) -> kj::StringPtr { return name; }));
  });
  log.run("named the machine in /etc/hosts", []() { nameInHosts(HOSTS_FILE); });
  log.run("gave the machine its id", []() { ensureMachineId(MACHINE_ID_FILE); });
  log.run("read the image's name",
          [this]() { imageName = parseImageName(readTextFile(IMAGE_NAME_FILE)); });
}

kj::Promise<void> Boot::finish(kj::Timer& timer) {
  // By the timer, so that whoever is connected comes first.
  co_await timer.afterDelay(LATE_PAUSE);
  log.run("applied the settings of sysctl.d", []() { applySysctlFiles(); });
  co_await timer.afterDelay(LATE_PAUSE);
  log.run("mounted more of the kernel's file systems",
          []() { mountKernelFileSystems(LATE_KERNEL_MOUNTS); });
  co_await timer.afterDelay(LATE_PAUSE);
  log.run("recorded the boot", []() {
    addRecord(CURRENT_RECORDS, RecordKind::BOOT);
    addRecord(ALL_RECORDS, RecordKind::BOOT);
  });
}

kj::Maybe<kj::ArrayPtr<const kj::byte>> Boot::secret() const {
  if (secretBytes.size() == 0) {
    return nullptr;
  }
  return secretBytes.asPtr();
}

kj::Maybe<int> Boot::dataMount() const {
  return data.map([](const kj::AutoCloseFd& fd) { return fd.get(); });
}

void openConsole() {
  int fd = ::open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) {
    fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  }
  int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (fd < 0 || null < 0) {
    return;
  }
  // Nobody types into the agent.
  ::dup2(null, STDIN_FILENO);
  ::dup2(fd, STDOUT_FILENO);
  ::dup2(fd, STDERR_FILENO);
  for (int extra : {fd, null}) {
    if (extra > STDERR_FILENO) {
      ::close(extra);
    }
  }
}

}  // namespace bothy
