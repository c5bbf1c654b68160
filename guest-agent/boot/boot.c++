#include "boot/boot.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <unistd.h>

#include "boot/boot-secret.h"
#include "boot/disk-directories.h"
#include "boot/failure.h"
#include "boot/identity.h"
#include "boot/machine-file.h"
#include "boot/mount-table.h"
#include "boot/root.h"
#include "boot/settings.h"

namespace bothy {
namespace {

constexpr kj::StringPtr IMAGE_NAME_FILE = "/usr/lib/bothy/image"_kj;
constexpr kj::StringPtr MACHINE_ID_FILE = "/etc/machine-id"_kj;

}  // namespace

ImageName parseImageName(kj::StringPtr text) {
  ImageName result;
  auto rest = text;
  while (rest.size() > 0) {
    size_t end = 0;
    while (end < rest.size() && rest[end] != '\n') {
      ++end;
    }
    auto line = kj::heapString(rest.slice(0, end));
    rest = rest.slice(kj::min(end + 1, rest.size()));
    if (line.startsWith("name=")) {
      result.name = trim(line.slice(5));
    } else if (line.startsWith("version=")) {
      result.version = trim(line.slice(8));
    }
  }
  return result;
}

Boot::Boot(Console& console) : console(console), log(console, kernelClock) {}

void Boot::run() {
  log.run("mounted the kernel's file systems", [this]() {
    mountKernelFileSystems(console);
    linkDeviceNames();
  });
  openConsole();
  log.run("read the command line", [this]() {
    KJ_IF_MAYBE (text, readText("/proc/cmdline")) {
      commandLine = parseCommandLine(*text);
    }
    for (auto& complaint : commandLine.complaints) {
      console.say(complaint);
    }
  });
  log.run("read the secret", [this]() { secretBytes = readBootSecret(); });

  if (isInitramfs()) {
    assembleRoot();
  }
  log.run("shielded the agent", [this]() { shieldAgent(console); });
  log.run("applied the kernel's settings", [this]() { applyKernelSettings(console); });
  log.run("raised the loopback interface", []() { raiseLoopback(); });
  log.run("named the machine", [this]() {
    nameMachine(commandLine.hostname.map([](kj::String& name) -> kj::StringPtr { return name; }));
    ensureMachineId(MACHINE_ID_FILE);
    KJ_IF_MAYBE (text, readText(IMAGE_NAME_FILE)) {
      imageName = parseImageName(*text);
    }
  });
}

void Boot::assembleRoot() {
  if (!log.run("mounted the image", []() { mountImage(); })) {
    diskState = DiskDamaged{kj::str("not tried: there is no image")};
    return;
  }
  auto mounted = log.run("mounted the data disk", [this]() {
    diskState = mountData();
    KJ_IF_MAYBE (damaged, diskState.tryGet<DiskDamaged>()) {
      failStage(kj::str(damaged->reason));
    }
  });
  if (!mounted && !diskState.is<DiskDamaged>()) {
    diskState = DiskDamaged{kj::str("not mounted, and no memory in its place")};
  }
  if (log.run("mounted the root", []() { mountRoot(); })) {
    log.run("switched to the root", [this]() { data = switchRoot(); });
    KJ_IF_MAYBE (mount, data) {
      log.run("mounted the disk's own directories",
              [mount]() { mountDiskDirectories(mount->get()); });
    }
  }
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
