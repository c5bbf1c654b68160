#include "bench/plain-machine.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>

#include <kj/debug.h>

#include "bench/figures.h"
#include "bench/floor-machine.h"
#include "vm/kernel-arguments.h"
#include "vm/kvm-node.h"
#include "vm/libvirt-events.h"
#include "vm/libvirt-root.h"

namespace bothy {
namespace {

constexpr kj::StringPtr NAME = "floor"_kj;
// Memory goes on in a domain of the same id.
constexpr kj::StringPtr ID = "f1000000-0000-4000-8000-000000000000"_kj;
constexpr useconds_t LOOK_MICROS = 1000;
constexpr kj::Duration WORD_LIMIT = 60 * kj::SECONDS;

kj::String made(kj::StringPtr path) {
  KJ_SYSCALL(mkdir(path.cStr(), 0711), path);
  return kj::str(path);
}

DiskPassphrase noDisk() {
  return {kj::str(NAME), Secret(32)};
}

}  // namespace

PlainMachine::PlainMachine(kj::StringPtr directoryParam, uint32_t memoryMib)
    : directory(kj::str(directoryParam)),
      memoryMib(memoryMib),
      initramfs(makeFloorInitramfs(directory, BOTHY_TOUCH_INIT ""_kj)),
      box(kj::atomicRefcounted<LibvirtEventBox>()) {
  provideKvm(KvmNode::HIDDEN);
  LibvirtDriverSettings settings;
  settings.stateDir = made(kj::str(directory, "/state"));
  settings.runtimeDir = made(kj::str(directory, "/run"));
  settings.probeUser = 0;
  auto place = prepareLibvirtRoot(settings);
  startLibvirtEventLoop();
  session = LibvirtSession::open(place, *box);
}

PlainMachine::~PlainMachine() noexcept {
  kj::runCatchingExceptions([this]() { libvirt().destroy(NAME); });
}

void PlainMachine::begin(uint32_t touchedMib) {
  libvirt().destroy(NAME);
  xml = kj::str(
      "<domain type='qemu'><name>", NAME, "</name><uuid>", ID, "</uuid><memory unit='MiB'>",
      memoryMib,
      "</memory><memoryBacking><nosharepages/><source type='memfd'/><access "
      "mode='shared'/></memoryBacking>"
      "<vcpu>1</vcpu><os><type arch='x86_64' machine='q35'>hvm</type>"
      "<loader type='rom'>/usr/share/qemu/qboot.rom</loader><kernel>",
      BOTHY_IMAGES, "/base/vmlinux</kernel><initrd>", initramfs, "</initrd><cmdline>",
      kernelArguments(1), " touch=", touchedMib,
      "</cmdline></os><features><acpi/><apic/></features><cpu mode='maximum' check='none'/>"
      "<clock offset='utc'/><on_poweroff>destroy</on_poweroff><on_reboot>destroy</on_reboot>"
      "<on_crash>destroy</on_crash><devices><emulator>/usr/bin/qemu-system-x86_64</emulator>"
      "<controller type='usb' model='none'/><serial type='file'><source path='",
      console(),
      "'/><target type='isa-serial' port='0'/></serial><memballoon model='none'/></devices>"
      "</domain>");
  libvirt().create(xml, noDisk());
  libvirt().resume(NAME);
  awaitWord("touched");
}

double PlainMachine::saveMillis() {
  return milliseconds([this]() {
    libvirt().pause(NAME);
    libvirt().save(NAME, memory());
  });
}

double PlainMachine::restoreMillis() {
  return milliseconds([this]() {
    libvirt().restore(NAME, memory(), xml, noDisk());
    libvirt().resume(NAME);
    awaitWord(".");
  });
}

void PlainMachine::awaitWord(kj::StringPtr word) {
  auto& clock = kj::systemPreciseMonotonicClock();
  const auto deadline = clock.now() + WORD_LIMIT;
  for (;;) {
    std::ifstream file(console().cStr());
    const std::string said((std::istreambuf_iterator<char>(file)),
                           std::istreambuf_iterator<char>());
    if (strstr(said.c_str(), word.cStr()) != nullptr) return;
    KJ_REQUIRE(clock.now() < deadline, "the machine says nothing", word, said.c_str());
    usleep(LOOK_MICROS);
  }
}

}  // namespace bothy
