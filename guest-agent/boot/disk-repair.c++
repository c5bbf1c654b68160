#include "boot/disk-repair.h"

#include "boot/failure.h"
#include "boot/stage-log.h"
#include "boot/tool.h"

namespace bothy {
namespace {

// Exit codes of e2fsck(8), which are bits.  2, for a restart, is of the root file system of a machine
// that runs from it.
constexpr int CORRECTED = 1 | 2;

}  // namespace

Repair repairDisk(kj::StringPtr device, kj::StringPtr toolsRoot) {
  auto begin = kernelClock();
  int code = 0;
  for (kj::StringPtr how : {"-p"_kj, "-y"_kj}) {
    auto left = REPAIR_LIMIT - (kernelClock() - begin);
    if (left <= 0 * kj::SECONDS) {
      failStage(kj::str("the time for it is over"));
    }
    code = runTool(toolsRoot, {"/sbin/e2fsck", how, "-f", device}, left);
    if ((code & ~CORRECTED) == 0) {
      return {true, kj::str(code == 0 ? "found sound by e2fsck " : "repaired by e2fsck ", how)};
    }
  }
  return {false, kj::str("not repaired: e2fsck -y ended with ", code)};
}

}  // namespace bothy
