#include "workspace/operations/resume-operation.h"

#include "loop/failure-of.h"
#include "workspace/operations/receipt.h"
#include "workspace/steps.h"

namespace bothy {
namespace {

constexpr Step STEPS[] = {
    {"thaw"_kj, Step::OnFailure::END, Step::Storing::FIRST,
     "the machine's processors could not be let go on"_kj},
    {"greet"_kj, Step::OnFailure::END, Step::Storing::FIRST, ""_kj},
};
enum { THAW, GREET };

// An agent that has gone on answers at once; one that does not is no reason to hold up who wants its machine.
constexpr kj::Duration GREET_LIMIT = 30 * kj::SECONDS;

}  // namespace

WorkspaceJournal::Rows ResumeOperation::beginning(const Site& site) {
  return site.journal.beginning(OperationKind::RESUME, STEPS[THAW].name);
}

kj::ArrayPtr<const Step> ResumeOperation::steps() const {
  return STEPS;
}

kj::Maybe<kj::Duration> ResumeOperation::limitOf(size_t step) const {
  auto& deadlines = site.world.deadlines;
  if (step == THAW) return deadlines.startVm + deadlines.pauseVm;
  return nullptr;
}

kj::Promise<void> ResumeOperation::run(size_t step) {
  if (step == GREET) return greet();
  return machine().then([](kj::Own<Machine> paused) {
    auto resumed = unlessEnded(*paused, paused->resume());
    return resumed.attach(kj::mv(paused));
  });
}

// Its clock is right before anybody gets a lane.  The machine runs, whatever its agent does.
kj::Promise<void> ResumeOperation::greet() {
  auto resumed = co_await machine();
  if (resumed->isStalled()) {
    clock = kj::str("it stands still, as the host's disk is full");
    co_return;
  }
  auto failure = co_await failureOf([&]() {
    return within(site.world.timer, GREET_LIMIT, "its agent does not answer",
                  unlessEnded(*resumed, stepClock(*resumed)));
  });
  KJ_IF_MAYBE (e, failure) clock = kj::str("its clock was not set: ", lineOf(*e));
}

kj::Promise<void> ResumeOperation::stepClock(Machine& machine) {
  co_await machine.ready();
  auto woken = co_await machine.wakeGuest(site.world.clock.now());
  KJ_IF_MAYBE (w, woken) {
    clock = clockText(w->behind);
  } else {
    clock = kj::str("its clock was not set, for which its agent is too old");
  }
}

kj::Promise<Operation::Settled> ResumeOperation::settle(kj::Maybe<kj::Exception> failure) {
  auto settled = co_await HaltOperation::settle(kj::mv(failure));
  if (this->failure() == nullptr) site.progress.reach(Stage::AGENT_READY);
  site.progress.end();
  co_return kj::mv(settled);
}

kj::Promise<void> ResumeOperation::undo(Machine& machine) {
  return machine.closeLanes().then([&machine]() { return machine.pause(); });
}

kj::String ResumeOperation::detail() {
  int64_t since = 0;
  KJ_IF_MAYBE (row, site.journal.machine()) since = row->pausedNanos;
  const auto paused = nanosOf(site.world.clock.now()) - since;
  // The host's clock may have been set back.
  if (since == 0 || paused < 0) return kj::str("it was paused; ", clock);
  return kj::str("it was paused for ", secondsOf(paused * kj::NANOSECONDS), "; ", clock);
}

kj::String ResumeOperation::detailOfFailure(kj::StringPtr why) {
  return kj::str("it could not be resumed: ", why);
}

}  // namespace bothy
