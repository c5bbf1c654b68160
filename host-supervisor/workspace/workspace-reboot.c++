// A guest that asked for a reboot.

#include <kj/debug.h>

#include "workspace/start-fault.h"
#include "workspace/steps.h"
#include "workspace/workspace.h"

namespace bothy {

bool Workspace::hasPanicked() {
  kj::String console;
  kj::runCatchingExceptions([&]() { console = world.files.consoleEnd(record.id); });
  return hasPanic(console);
}

void Workspace::reboot() {
  auto ran = world.timer.now() - ranFrom;
  if (ran >= world.deadlines.steady) rebootPauses = nullptr;
  kj::Duration pause = 0 * kj::SECONDS;
  if (rebootPauses.get() == nullptr) {
    rebootPauses = kj::heap<RetryPauses>(world);
  } else {
    pause = rebootPauses->take();
  }
  auto detail = kj::str(describe(VmEnd::REBOOTED));
  if (pause > 0 * kj::SECONDS) {
    detail = kj::str(detail, " after ", ran / kj::SECONDS, " s, again: it waits ",
                     pause / kj::SECONDS, " s");
  }
  transitionAnyway(Happening::GUEST_REBOOTED, Cause::GUEST_REBOOTED, detail);
  beginReboot(pause);
}

void Workspace::beginReboot(kj::Duration pause) {
  stageBase = world.timer.now();
  stage = Stage::STARTING_VM;
  begin(kj::evalNow([&]() { return reportOf(bootAfter(pause)); }));
}

kj::Promise<void> Workspace::bootAfter(kj::Duration pause) {
  fault = StartFault::OTHER;
  hasMachine = false;
  // Also without a pause: whoever told of the machine's end has to return first.
  co_await kj::evalLater([]() {});
  if (pause > 0 * kj::SECONDS) co_await world.timer.afterDelay(pause);
  // What has happened is stored before what follows from it, however long that takes.
  for (RetryPauses pauses(world);;) {
    kj::Maybe<kj::Exception> failure;
    try {
      auto turn = co_await turns->take();
      co_await catchUp();
      auto machine = machineRecord.clone();
      machine.secret = newSecret();
      co_await commit(kj::mv(Change().update(machine.clone())));
      machineRecord = kj::mv(machine);
      break;
    } catch (...) {
      failure = kj::getCaughtExceptionAsKj();
    }
    KJ_LOG(ERROR, "the reboot of a workspace could not be stored yet; trying again", record.name,
           record.id, KJ_ASSERT_NONNULL(failure).getDescription());
    co_await pauses.next();
  }
  co_await bootMachine();
}

}  // namespace bothy
