// What a bothyd that starts does with a workspace that it finds.

#include <kj/debug.h>

#include "workspace/steps.h"
#include "workspace/workspace.h"

namespace bothy {
namespace {

constexpr uint32_t RECOVERY_GRACE_MILLIS = 10000;

}  // namespace

kj::Promise<bool> Workspace::adopt() {
  // An image that went away does not matter to a machine that runs.
  kj::Maybe<Image> image;
  kj::runCatchingExceptions([&]() { image = world.images.find(record.image); });
  auto found =
      co_await within(world.timer, world.deadlines.startVm, "the machine could not be taken over",
                      world.driver.adopt(vmSpec(kj::mv(image))));
  KJ_IF_MAYBE (vm, found) {
    take(kj::mv(*vm));
    co_return true;
  }
  co_return false;
}

kj::Promise<void> Workspace::recover() {
  // What is on the host of it is left as it is.
  if (record.damage.size() > 0 && record.state != WorkspaceState::DELETING) co_return;
  bool machineRuns = false;
  kj::Maybe<kj::Exception> failure;
  if (mayRun(record.state)) {
    try {
      machineRuns = co_await adopt();
    } catch (...) {
      failure = kj::getCaughtExceptionAsKj();
    }
  }
  auto turn = co_await turns->take();
  KJ_IF_MAYBE (e, failure) {
    goOnUnseen(lineOf(*e));
  } else {
    goOn(machineRuns);
  }
}

void Workspace::goOn(bool machineRuns) {
  switch (recoveryOf(record.state, machineRuns, record.rebooting)) {
    case Recovery::KEEP:
      // Of a machine that the last bothyd could not end.
      watch = removeLeftMachine().eagerlyEvaluate(nullptr);
      break;
    case Recovery::ERASE:
      transitionAnyway(Happening::DELETE_BEGAN, Cause::RECOVERED, "it was half-made");
      erasing = runErase().fork();
      break;
    case Recovery::ADOPT: {
      append(Cause::ADOPTED, nullptr);
      KJ_LOG(INFO, "workspace adopted", record.name, record.id);
      ranFrom = world.timer.now();
      watchMachine();
      auto& machine = *KJ_ASSERT_NONNULL(current);
      greeting = machine.control().ignoreResult().eagerlyEvaluate([this](kj::Exception&& e) {
        KJ_LOG(WARNING, "the agent of an adopted workspace does not answer", record.name,
               e.getDescription());
      });
      break;
    }
    case Recovery::FINISH_START:
      stageBase = world.timer.now();
      begin(kj::evalNow([&]() { return reportOf(awaitAdopted()); }));
      break;
    case Recovery::FINISH_STOP:
      stopping =
          canceler.wrap(kj::evalNow([&]() { return runStop(RECOVERY_GRACE_MILLIS); })).fork();
      break;
    case Recovery::MARK_STOPPED:
      transitionAnyway(Happening::MACHINE_ENDED, Cause::RECOVERED,
                       "its machine was gone when the supervisor started");
      break;
    case Recovery::REBOOT:
      beginReboot(0 * kj::SECONDS);
      break;
    case Recovery::FINISH_DELETE:
      erasing = runErase().fork();
      break;
    case Recovery::FINISH_RESIZE:
      beginResize();
      break;
  }
}

// Not to reach a machine is no reason to end it: whoever asked for its end, or its start, has that.
void Workspace::goOnUnseen(kj::StringPtr why) {
  KJ_LOG(ERROR, "a machine could not be taken over; trying again", record.name, record.id, why);
  switch (record.state) {
    case WorkspaceState::STARTING:
      stageBase = world.timer.now();
      begin(kj::evalNow([&]() { return reportOf(awaitAdoption()); }));
      break;
    case WorkspaceState::STOPPING:
      stopping =
          canceler.wrap(kj::evalNow([&]() { return runStop(RECOVERY_GRACE_MILLIS); })).fork();
      break;
    default:
      KJ_ASSERT(record.state == WorkspaceState::RUNNING, record.state);
      whyUnreachable = kj::str(why);
      note(Cause::UNREACHABLE, why);
      adopting = keepAdopting().eagerlyEvaluate([this](kj::Exception&& e) {
        KJ_LOG(ERROR, "a machine is not taken over any more", record.name, e.getDescription());
      });
      break;
  }
}

kj::Promise<void> Workspace::keepAdopting() {
  for (RetryPauses pauses(world);;) {
    co_await pauses.next();
    bool machineRuns = false;
    kj::Maybe<kj::Exception> failure;
    try {
      machineRuns = co_await adopt();
    } catch (...) {
      failure = kj::getCaughtExceptionAsKj();
    }
    KJ_IF_MAYBE (e, failure) {
      auto why = lineOf(*e);
      if (why != whyUnreachable) {
        KJ_LOG(WARNING, "a machine could still not be taken over", record.name, record.id, why);
      }
      whyUnreachable = kj::mv(why);
    } else {
      // A stop that is being stored comes first, and ends this.
      auto turn = co_await turns->take();
      whyUnreachable = nullptr;
      goOn(machineRuns);
      co_return;
    }
  }
}

kj::Promise<void> Workspace::removeLeftMachine() {
  for (RetryPauses pauses(world);;) {
    kj::Maybe<kj::Exception> failure;
    try {
      co_await within(world.timer, world.deadlines.destroyVm, "the machine could not be ended",
                      world.driver.remove(record.id));
      co_return;
    } catch (...) {
      failure = kj::getCaughtExceptionAsKj();
    }
    KJ_LOG(ERROR, "a machine that nobody has is not gone yet; trying again", record.name, record.id,
           KJ_ASSERT_NONNULL(failure).getDescription());
    co_await pauses.next();
  }
}

}  // namespace bothy
