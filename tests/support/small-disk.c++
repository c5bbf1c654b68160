#include "support/small-disk.h"

#include <signal.h>
#include <sys/mount.h>

#include <kj/debug.h>

#include <filesystem>

#include "support/host-program.h"

namespace bothy {

SmallDisk::SmallDisk(SupervisedHost& host, kj::StringPtr size)
    : state(kj::str(host.directory(), "/state")), ballast(kj::str(state, "/ballast")) {
  host.wait(host.supervisor().listRequest().send().dropPipeline(), "the list");
  host.stop(SIGTERM);
  auto options = kj::str("size=", size, ",mode=0711");
  KJ_SYSCALL(mount("tmpfs", state.cStr(), "tmpfs", 0, options.cStr()), state);
  host.takeAbilities();
  host.start();
  // It has its keyring and its database before the disk may be full.
  host.wait(host.supervisor().listRequest().send().dropPipeline(), "the list");
}

SmallDisk::~SmallDisk() {
  umount2(state.cStr(), MNT_DETACH);
}

void SmallDisk::fill(uint64_t keepKib) {
  runProgram({"/bin/sh"_kj, "-c"_kj,
              kj::str("cat /dev/zero > ", ballast, "; truncate -s -", keepKib, "K ", ballast)});
}

void SmallDisk::drain() {
  std::filesystem::remove(ballast.cStr());
}

}  // namespace bothy
