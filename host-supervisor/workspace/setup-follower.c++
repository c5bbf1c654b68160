#include "workspace/setup-follower.h"

#include <kj/debug.h>

#include "agent/guest-text.h"
#include "loop/failure-of.h"
#include "schema/limits.capnp.h"
#include "workspace/machine-configuration.h"
#include "workspace/steps.h"

namespace bothy {
namespace {

// No more of a guest's words than it may say.
kj::String lineOf(capnp::Text::Reader told, uint32_t mostBytes) {
  return lineOfGuest(kj::str(told.slice(0, kj::min(told.size(), size_t{mostBytes}))));
}

kj::String describe(rpc::SetupFailure::Reader failure) {
  switch (failure.which()) {
    case rpc::SetupFailure::EXITED:
      return kj::str("it exited with ", failure.getExited());
    case rpc::SetupFailure::KILLED:
      return kj::str("it was killed by signal ", failure.getKilled());
    case rpc::SetupFailure::TIMED_OUT:
      return kj::str("its time was over");
    case rpc::SetupFailure::OTHER:
      return lineOf(failure.getOther(), rpc::MAX_SETUP_FAILURE_BYTES);
  }
  return kj::str("for a reason that this bothyd does not know");
}

}  // namespace

SetupFollower::SetupFollower(const World& world, WorkspaceJournal& journal, MachineSlot& slot,
                             StartProgress& progress)
    : world(world), journal(journal), slot(slot), progress(progress) {}

SetupFollower::~SetupFollower() noexcept(false) {}

// Something may be learned of the boot that runs, or is paused.
bool SetupFollower::isOfInterest() const {
  return journal.row().isConfigured && isUp(journal.state()) && !isSettled;
}

void SetupFollower::look(bool isUnderWay) {
  waiters.wakeAll();
  if (!isUp(journal.state())) isSettled = false;
  const bool isWanted = isOfInterest() && !isUnderWay &&
                        journal.state() == WorkspaceState::RUNNING && slot.current() != nullptr;
  if (isWanted == isFollowing) return;
  isFollowing = isWanted;
  lastLine = nullptr;
  if (isWanted) {
    following = follow().eagerlyEvaluate([this](kj::Exception&& e) {
      KJ_LOG(ERROR, "the set-up of a workspace is not followed any more", journal.row().name,
             e.getDescription());
    });
  } else {
    following = nullptr;
    if (!isUp(journal.state())) progress.end();
  }
}

bool SetupFollower::isUnfinished() const {
  auto& row = journal.row();
  return row.setupDone < row.setupSteps && row.setupFailure.size() == 0;
}

// From where it runs it boots anew because its guest has rebooted.
bool SetupFollower::mayGoOn() const {
  return journal.state() == WorkspaceState::STARTING ||
         (journal.state() == WorkspaceState::RUNNING && isOfInterest());
}

kj::Promise<kj::Duration> SetupFollower::timeOfRest() {
  auto time = world.deadlines.call;
  if (journal.row().setupDone >= journal.row().setupSteps) co_return time;
  auto configuration = co_await readConfiguration(world, journal.row().id);
  auto steps = configuration->get().getSetup().getSteps();
  for (auto i = journal.row().setupDone; i < steps.size(); i++) {
    auto millis = rpc::SETUP_STEP_MILLIS;
    if (steps[i].isCommand() && steps[i].getCommand().getTimeoutMillis() > 0) {
      millis = steps[i].getCommand().getTimeoutMillis();
    }
    time += static_cast<int64_t>(millis) * kj::MILLISECONDS;
  }
  co_return kj::min(time, LONGEST_SETUP_WAIT);
}

kj::Promise<void> SetupFollower::onEnd() {
  if (!mayGoOn()) co_return;
  const auto begun = world.timer.now();
  auto time = world.deadlines.call;
  auto failure = co_await failureOf(
      [&]() { return timeOfRest().then([&time](kj::Duration whole) { time = whole; }); });
  KJ_IF_MAYBE (e, failure) {
    KJ_LOG(WARNING, "how long a set-up may take is not known", journal.row().name,
           e->getDescription());
  }
  const auto limit = begun + time;
  while (mayGoOn() && world.timer.now() < limit) {
    co_await waiters.wait().exclusiveJoin(world.timer.atTime(limit));
  }
}

kj::Promise<void> SetupFollower::follow() {
  for (auto pauses = world.pauses();;) {
    KJ_IF_MAYBE (current, slot.current()) {
      auto machine = kj::addRef(*current);
      auto failure = co_await failureOf([&]() { return followOnce(*machine); });
      if (failure == nullptr) break;
      KJ_LOG(INFO, "how a workspace is set up cannot be learned now", journal.row().name,
             KJ_ASSERT_NONNULL(failure).getDescription());
    }
    co_await pauses.next();
  }
  lastLine = nullptr;
  progress.end();
  isSettled = true;
  isFollowing = false;
  waiters.wakeAll();
}

kj::Promise<void> SetupFollower::followOnce(Machine& machine) {
  const auto steps = journal.row().setupSteps;
  const auto generation = co_await machine.generation();
  if (generation < rpc::CONFIGURED_AGENTS) {
    co_await store(journal.row().setupDone,
                   kj::str("the agent of its image speaks generation ", generation,
                           " of the protocol, and knows variables and set-up steps from ",
                           rpc::CONFIGURED_AGENTS,
                           " on: build the image anew, stop the workspace and start it"));
    co_return;
  }
  if (steps == 0) {
    // Of an older agent, before.
    co_await store(0, nullptr);
    co_return;
  }
  if (names.size() == 0) {
    auto configuration = co_await readConfiguration(world, journal.row().id);
    names = KJ_MAP(step, configuration->get().getSetup().getSteps()) {
      return kj::str(step.getName());
    };
  }
  auto agent = co_await machine.control();
  bool isFirst = true;
  untold = journal.row().setupDone;
  for (uint64_t known = 0;;) {
    auto request = agent.setupRequest();
    request.setAfter(known);
    auto response = co_await request.send();
    auto status = response.getStatus();
    known = status.getRevision();
    // What was said to be done stays so within a boot: nobody has bothyd write for ever.
    const auto least = isFirst ? 0 : journal.row().setupDone;
    isFirst = isFirst && status.isNothing();
    if (!co_await note(status, kj::max(status.getDone(), least))) co_return;
    co_await world.timer.afterDelay(SETUP_QUESTION_PAUSE);
  }
}

kj::StringPtr SetupFollower::nameOf(uint32_t step) const {
  return step < names.size() ? names[step].asPtr() : "?"_kj;
}

kj::Promise<bool> SetupFollower::note(rpc::SetupStatus::Reader status, uint32_t done) {
  const auto steps = journal.row().setupSteps;
  // Of one that is running, or has failed, not all are.
  done = kj::min(done, steps - 1);
  switch (status.which()) {
    case rpc::SetupStatus::RUNNING: {
      lastLine = lineOf(status.getRunning(), rpc::MAX_SETUP_LINE_BYTES);
      tellUpTo(done);
      progress.setUp({done, steps, nameOf(done), lastLine});
      untold = done + 1;
      co_await store(done, nullptr);
      co_return true;
    }
    case rpc::SetupStatus::COMPLETE:
      tellUpTo(steps);
      co_await store(steps, nullptr);
      co_return false;
    case rpc::SetupStatus::FAILED:
      tellUpTo(done + 1);
      co_await store(done, kj::str("step ", done + 1, " (", nameOf(done),
                                   "): ", describe(status.getFailed())));
      co_return false;
    default:
      co_return true;
  }
}

// Those that were quick.
void SetupFollower::tellUpTo(uint32_t step) {
  for (; untold < step; untold++) {
    progress.setUp({untold, journal.row().setupSteps, nameOf(untold), nullptr});
  }
}

// The event first: who is killed between both tells it again.
kj::Promise<void> SetupFollower::store(uint32_t done, kj::String failure) {
  auto& row = journal.row();
  if (row.setupDone == done && row.setupFailure == failure) co_return;
  if (failure.size() > 0) {
    journal.append(Cause::SETUP_FAILED, failure);
  } else if (done == row.setupSteps && row.setupDone < done) {
    journal.append(Cause::SET_UP, kj::str(done, done == 1 ? " step" : " steps"));
  }
  co_await journal.update([done, failure = kj::mv(failure)](WorkspaceJournal::Rows& rows) {
    rows.row.setupDone = done;
    rows.row.setupFailure = kj::str(failure);
  });
}

kj::Promise<SetupFollower::RetryOutcome> SetupFollower::retry() {
  if (journal.row().setupFailure.size() == 0) co_return NothingFailed();
  auto machine = kj::addRef(KJ_ASSERT_NONNULL(slot.current()));
  const auto generation = co_await machine->generation();
  if (generation < rpc::CONFIGURED_AGENTS) co_return AgentTooOld{generation};
  auto agent = co_await machine->control();
  co_await agent.retrySetupRequest().send().ignoreResult();
  co_await store(journal.row().setupDone, nullptr);
  isSettled = false;
  look(false);
  co_return Retried();
}

}  // namespace bothy
