#include "workspace/operations/stop-operation.h"

#include <kj/debug.h>

#include "loop/failure-of.h"
#include "machine/machine-end.h"
#include "machine/start-fault.h"
#include "workspace/steps.h"

namespace bothy {
namespace {

constexpr Step STEPS[] = {
    {"ask"_kj, Step::OnFailure::END, Step::Storing::FIRST, ""_kj},
    // Also ends what fell between: a machine that went away while it was asked.
    {"end"_kj, Step::OnFailure::TRY_AGAIN, Step::Storing::IF_IT_CAN,
     "the machine could not be ended"_kj},
};
enum { ASK_STEP, END_STEP };

// Where it is not known what was asked for.
constexpr uint32_t DEFAULT_GRACE_MILLIS = 10000;

// A clock that was set back makes it no longer than it was.
uint32_t graceLeft(const World& world, uint32_t grace, int64_t deadlineNanos) {
  if (deadlineNanos <= 0) return grace;
  auto left = (deadlineNanos - nanosOf(world.clock.now())) * kj::NANOSECONDS / kj::MILLISECONDS;
  return kj::min(kj::max(left, int64_t(0)), int64_t(grace));
}

// Behind the grace, where memory may be kept that is of no use any more.
constexpr kj::StringPtr MEMORY = " memory"_kj;

uint32_t graceIn(kj::StringPtr parameters) {
  KJ_IF_MAYBE (end, parameters.findFirst(' ')) {
    return kj::str(parameters.slice(0, *end))
        .tryParseAs<uint32_t>()
        .orDefault(DEFAULT_GRACE_MILLIS);
  }
  return parameters.tryParseAs<uint32_t>().orDefault(DEFAULT_GRACE_MILLIS);
}

constexpr kj::StringPtr OF_START = "it was stopped before it ran"_kj;

}  // namespace

WorkspaceJournal::Rows StopOperation::beginning(const Site& site, Way way, uint32_t graceMillis) {
  const auto suffix = mayHaveMemory(site.journal.state()) ? MEMORY : ""_kj;
  auto rows =
      site.journal.beginning(OperationKind::STOP, STEPS[way == Way::ASK ? ASK_STEP : END_STEP].name,
                             kj::str(graceMillis, suffix));
  KJ_ASSERT_NONNULL(rows.operation).deadlineNanos =
      nanosOf(site.world.clock.now() + graceMillis * kj::MILLISECONDS);
  return rows;
}

StopOperation::StopOperation(const Site& site, kj::StringPtr parameters, int64_t deadlineNanos)
    : site(site),
      deadlineNanos(deadlineNanos),
      hasMemory(parameters.endsWith(MEMORY)),
      graceMillis(graceIn(parameters)) {}

void StopOperation::endStart(StopKind kind) {
  isOfStart = true;
  kindOfEnd = kind;
}

StopKind StopOperation::outcome() const {
  return KJ_ASSERT_NONNULL(kindOfEnd);
}

kj::ArrayPtr<const Step> StopOperation::steps() const {
  return STEPS;
}

kj::Maybe<kj::Duration> StopOperation::limitOf(size_t step) const {
  if (step == ASK_STEP) return nullptr;
  return site.world.deadlines.destroyVm;
}

kj::Promise<void> StopOperation::run(size_t step) {
  return step == ASK_STEP ? ask() : end();
}

kj::Promise<size_t> StopOperation::resume(size_t step) {
  // It is ended by force if it cannot be taken over: that is what was asked for in the end.
  auto adoption = co_await site.machine.tryToAdopt();
  KJ_IF_MAYBE (e, adoption.failure) {
    KJ_LOG(WARNING, "a machine that stops cannot be taken over and is ended",
           site.journal.row().name, e->getDescription());
  } else {
    // Without a row nobody has looked.
    isGone = !adoption.isThere && site.journal.machine() != nullptr;
  }
  graceMillis = graceLeft(site.world, graceMillis, deadlineNanos);
  co_return adoption.isThere ? step : END_STEP;
}

kj::Promise<void> StopOperation::letGoOn(Machine& machine) {
  for (auto pauses = site.world.pauses();;) {
    auto failure = co_await failureOf([&]() {
      return machine.resume().then([&machine]() { return machine.control().ignoreResult(); });
    });
    if (failure == nullptr || machine.isEnding()) co_return;
    co_await pauses.next();
  }
}

kj::Promise<void> StopOperation::takeOver() {
  if (site.machine.current() != nullptr) co_return;
  isGone = !co_await site.machine.adopt();
  if (isGone) kj::throwFatalException(KJ_EXCEPTION(FAILED, "the machine is gone"));
}

kj::Promise<void> StopOperation::powerOff() {
  const auto begin = site.world.timer.now();
  const auto grace = graceMillis * kj::MILLISECONDS;
  auto left = [&]() {
    return kj::max(grace - (site.world.timer.now() - begin), 0 * kj::NANOSECONDS);
  };
  co_await within(site.world.timer, grace, "the machine could not be taken over", takeOver());
  auto& machine = KJ_ASSERT_NONNULL(site.machine.current());
  if (machine.isPaused()) {
    // What its guest has written and not synced is lost with it.
    co_await within(site.world.timer, left(), "the machine is paused and does not go on",
                    letGoOn(machine));
  }
  graceMillis = left() / kj::MILLISECONDS;
  co_await machine.requestPowerOff(graceMillis);
  ended = co_await within(site.world.timer,
                          graceMillis * kj::MILLISECONDS + site.world.deadlines.powerOffMargin,
                          "the machine did not turn itself off", machine.onEnd());
}

// In order; what fails, or takes longer than the grace, is ended by force.
kj::Promise<void> StopOperation::ask() {
  auto failure = co_await failureOf([this]() { return powerOff(); });
  KJ_IF_MAYBE (e, failure) {
    KJ_LOG(WARNING, "a machine does not stop in order and is ended", site.journal.row().name,
           e->getDescription());
  }
}

kj::Promise<void> StopOperation::end() {
  if (ended == nullptr) co_await endMachine();
  if (hasMemory) co_await site.world.volumes.destroyMemory(site.journal.row().id);
}

kj::Promise<void> StopOperation::endMachine() {
  KJ_IF_MAYBE (machine, site.machine.current()) {
    co_await machine->destroy();
    ended = co_await machine->onEnd();
  } else {
    co_await site.machine.remove();
    ended = VmEnd::DESTROYED;
  }
}

kj::Promise<Operation::Settled> StopOperation::settle(kj::Maybe<kj::Exception> failure) {
  auto outcome = Outcome::SUCCEEDED;
  auto cause = Cause::REQUEST;
  auto end = ended.orDefault(VmEnd::DESTROYED);
  if (kindOfEnd == nullptr) {
    // A guest that was about to reboot when the order came has ended in order too.
    const bool isOrderly =
        end == VmEnd::POWERED_OFF || (end == VmEnd::REBOOTED && !hasPanic(site.consoleEnd()));
    kindOfEnd = isOrderly ? StopKind::ORDERLY : StopKind::FORCED;
  }
  auto detail = kj::str(isOfStart ? OF_START : describe(end));
  if (isGone) {
    cause = Cause::RECOVERED;
    detail = kj::str(MACHINE_GONE);
  }
  KJ_IF_MAYBE (e, failure) {
    outcome = Outcome::FAILED;
    detail = lineOf(*e);
  }
  using Left = MachineSlot::Left;
  const bool isReleased =
      co_await site.machine.giveUp(failure == nullptr ? Left::NOTHING : Left::PERHAPS);
  auto next = [this, outcome, isReleased, text = kj::str(detail)]() {
    auto rows = site.journal.ending(OperationKind::STOP, outcome, text);
    if (isReleased) rows.machine = nullptr;
    return rows;
  };
  auto turn = co_await site.journal.settle(kj::mv(next), cause, kj::mv(detail));
  co_return Settled{kj::mv(turn), nullptr};
}

}  // namespace bothy
