#include "vm/disk-stall.h"

#include <kj/debug.h>

#include "loop/failure-of.h"

namespace bothy {
namespace {

// The write that found no room is the first that QEMU tries again.
constexpr kj::Duration PROOF_TIME = 1 * kj::SECONDS;

}  // namespace

void DiskStall::begin() {
  recurred = true;
  if (isUnderWay()) return;
  auto paf = kj::newPromiseAndFulfiller<void>();
  waiting = Waiting{paf.promise.fork(), kj::mv(paf.fulfiller)};
  if (!isHeld) start();
}

void DiskStall::start() {
  task = run().eagerlyEvaluate([this](kj::Exception&& e) {
    KJ_LOG(ERROR, "a machine stands still and nothing lets it go on", machine, e.getDescription());
  });
}

void DiskStall::hold() {
  isHeld = true;
  task = nullptr;
}

void DiskStall::release() {
  if (!isHeld) return;
  isHeld = false;
  if (isUnderWay()) start();
}

void DiskStall::abandon() {
  end();
  task = nullptr;
}

void DiskStall::end() {
  KJ_IF_MAYBE (w, waiting) {
    w->fulfiller->fulfill();
  }
  waiting = nullptr;
}

kj::Promise<void> DiskStall::whenOver() {
  KJ_IF_MAYBE (w, waiting) {
    return w->over.addBranch();
  }
  return kj::READY_NOW;
}

kj::Promise<void> DiskStall::run() {
  // Listeners are not told from within a call to the driver.
  co_await kj::evalLater([]() {});
  KJ_IF_MAYBE (w, waiting) {
    if (!w->isTold) {
      w->isTold = true;
      KJ_IF_MAYBE (told, listener) told->diskFull(machine);
    }
  }
  for (bool isTold = false;;) {
    co_await room.whenFree(disk);
    recurred = false;
    auto failure = co_await failureOf([this]() { return libvirt.resume(machine); });
    KJ_IF_MAYBE (e, failure) {
      if (!isTold) {
        KJ_LOG(ERROR, "a machine stands still and cannot go on; trying again", machine,
               e->getDescription());
      }
      isTold = true;
      continue;
    }
    co_await timer.afterDelay(PROOF_TIME);
    // A quota, or a pool behind the file system, that is full all the same.
    if (!recurred) break;
  }
  end();
  KJ_IF_MAYBE (told, listener) {
    told->diskFreed(machine);
  }
}

}  // namespace bothy
