#include "workspace/operations/wake-operation.h"

#include <kj/debug.h>

#include "loop/failure-of.h"
#include "machine/start-turn.h"
#include "workspace/machine-spec.h"
#include "workspace/operations/receipt.h"
#include "workspace/operations/start-operation.h"
#include "workspace/operations/stored-operation.h"
#include "workspace/steps.h"

namespace bothy {
namespace {

constexpr Step STEPS[] = {
    {"clear"_kj, Step::OnFailure::END, Step::Storing::FIRST, ""_kj},
    {"lease"_kj, Step::OnFailure::END, Step::Storing::FIRST, ""_kj},
    {"check"_kj, Step::OnFailure::END, Step::Storing::FIRST, ""_kj},
    {"restore"_kj, Step::OnFailure::END, Step::Storing::FIRST, ""_kj},
    {"spend"_kj, Step::OnFailure::END, Step::Storing::FIRST, ""_kj},
    {"go on"_kj, Step::OnFailure::END, Step::Storing::FIRST,
     "the machine's processors could not be let go on"_kj},
};
enum { CLEAR, LEASE, CHECK, RESTORE, SPEND, GO_ON };

// An agent that has gone on answers at once; one that does not is no reason to hold up who wants its machine.
constexpr kj::Duration GREET_LIMIT = 30 * kj::SECONDS;
constexpr size_t SEED_BYTES = 64;

}  // namespace

WorkspaceJournal::Rows WakeOperation::beginning(const Site& site) {
  return site.journal.beginning(OperationKind::WAKE, STEPS[CLEAR].name);
}

kj::Maybe<Operation&> WakeOperation::next() {
  return following.map([](kj::Own<Operation>& operation) -> Operation& { return *operation; });
}

kj::ArrayPtr<const Step> WakeOperation::steps() const {
  return STEPS;
}

kj::Maybe<kj::Duration> WakeOperation::limitOf(size_t step) const {
  if (step != GO_ON) return nullptr;
  return site.world.deadlines.pauseVm + GREET_LIMIT;
}

kj::Promise<void> WakeOperation::run(size_t step) {
  switch (step) {
    case CLEAR:
      return clear();
    case LEASE:
      return lease();
    case CHECK:
      return check();
    case RESTORE:
      return restore();
    case SPEND:
      return spend();
    case GO_ON:
      return goOn();
    default:
      KJ_UNREACHABLE;
  }
}

// Before the memory is spent its CPUs have not run: another machine may have it.  After that this one alone has it.
kj::Promise<size_t> WakeOperation::resume(size_t) {
  if (!isSpent()) co_return CLEAR;
  isLost = !co_await site.machine.adopt();
  if (isLost) {
    kj::throwFatalException(
        KJ_EXCEPTION(FAILED, "the machine that had it was gone when the supervisor started"));
  }
  co_return SPEND;
}

Image WakeOperation::requireImage() {
  auto& name = site.journal.row().image;
  KJ_IF_MAYBE (image, site.world.images.find(name)) {
    return kj::mv(*image);
  }
  kj::throwFatalException(
      KJ_EXCEPTION(FAILED, kj::str("the image ", name, " is not installed any more")));
}

kj::Promise<void> WakeOperation::clear() {
  requireImage();
  co_await site.machine.remove("what is left of an earlier machine could not be removed");
  if (site.journal.machine() == nullptr && !co_await site.machine.reclaimDisk()) {
    kj::throwFatalException(KJ_EXCEPTION(
        FAILED, "the disk could not be taken from an earlier machine; the log says why"));
  }
}

// The boot goes on: it has the secret, the processors and the memory that it had.
kj::Promise<void> WakeOperation::lease() {
  kj::Maybe<kj::Own<MachineLeases::Lease>> taken, own;
  if (site.journal.machine() == nullptr) {
    auto outcome = site.leases.take();
    KJ_IF_MAYBE (none, outcome.tryGet<MachineLeases::NoneFree>()) {
      kj::throwFatalException(KJ_EXCEPTION(OVERLOADED, kj::str(none->why)));
    }
    auto& lease = taken.emplace(kj::mv(outcome.get<kj::Own<MachineLeases::Lease>>()));
    own = kj::addRef(*lease);
  }
  auto boot = [taken = kj::mv(taken)](WorkspaceJournal::Rows& rows) {
    KJ_IF_MAYBE (lease, taken) {
      rows.machine = MachineRow{(*lease)->uid(), (*lease)->cid(), kj::str(rows.row.id)};
    }
    auto& machine = KJ_ASSERT_NONNULL(rows.machine);
    auto& sleep = rows.row.sleep;
    machine.secret = kj::heapArray<kj::byte>(sleep.secret);
    machine.startedNanos = sleep.startedNanos;
    machine.agentVersion = kj::str(sleep.agentVersion);
    machine.pausedNanos = sleep.sinceNanos;
    machine.cpus = sleep.cpus;
    machine.memoryMib = sleep.memoryMib;
  };
  co_await site.journal.update(kj::mv(boot)).catch_([&own](kj::Exception&& e) {
    // A damaged row may be in its way: the next try takes another.
    KJ_IF_MAYBE (lease, own) (*lease)->setAside();
    kj::throwFatalException(kj::mv(e));
  });
}

// Only what is wrong with the memory itself loses it; a host that does not obey at the moment does not.
kj::Promise<void> WakeOperation::check() {
  auto& world = site.world;
  auto& row = site.journal.row();
  co_await within(world.timer, world.deadlines.disk, "the disk could not be examined",
                  world.volumes.check(row.id, diskBytes(row)));
  co_await within(world.timer, world.deadlines.disk, "the room on the host's disk was not found",
                  world.volumes.requireRoom());
  auto format = sleepFormat(world, requireImage());
  if (row.sleep.format != format) {
    isLost = true;
    kj::throwFatalException(KJ_EXCEPTION(
        FAILED, kj::str("it is of (", row.sleep.format, "), and this host has (", format, ")")));
  }
  auto opened = co_await diskKey(site.world, site.journal.row().id);
  kj::Maybe<kj::Exception> failure;
  co_await within(world.timer, world.deadlines.disk, "the memory could not be examined",
                  world.volumes.checkMemory(row.id, row.sleeps, kj::mv(opened)))
      .catch_([&failure](kj::Exception&& e) { failure = kj::mv(e); });
  KJ_IF_MAYBE (e, failure) {
    isLost = e->getType() == kj::Exception::Type::FAILED;
    kj::throwFatalException(kj::mv(*e));
  }
}

kj::Promise<void> WakeOperation::restore() {
  auto& world = site.world;
  auto spec = co_await preparedSpec(world, site.journal, requireImage());
  MemoryFile file{world.volumes.memoryPath(site.journal.row().id),
                  co_await diskKey(site.world, site.journal.row().id)};
  const auto begun = world.timer.now();
  // Not while what comes in its place is on its way to the store.
  auto turn = co_await site.journal.takeTurn();
  kj::Maybe<kj::Own<RunningVm>> restored;
  kj::Maybe<kj::Exception> failure;
  auto restoring = world.driver.restore(kj::mv(spec), kj::mv(file));
  turn = nullptr;
  co_await restoring.then([&restored](kj::Own<RunningVm>&& vm) { restored = kj::mv(vm); },
                          [&failure](kj::Exception&& e) { failure = kj::mv(e); });
  KJ_IF_MAYBE (e, failure) {
    isLost = e->getType() == kj::Exception::Type::FAILED;
    kj::throwFatalException(kj::mv(*e));
  }
  took = world.timer.now() - begun;
  site.machine.take(kj::mv(KJ_ASSERT_NONNULL(restored)));
}

// Before its CPUs run, so that they run once: first by its number, which is stored, and then by its end.
kj::Promise<void> WakeOperation::spend() {
  if (!isSpent()) {
    co_await site.journal.update([](WorkspaceJournal::Rows& rows) {
      rows.row.sleep = {};
      ++rows.row.sleeps;
    });
  }
  auto& world = site.world;
  auto failure = co_await failureOf([&]() {
    return within(world.timer, world.deadlines.disk, "memory could not be removed",
                  world.volumes.destroyMemory(site.journal.row().id));
  });
  KJ_IF_MAYBE (e, failure) {
    KJ_LOG(ERROR, "memory of a workspace that has been used is left", site.journal.row().name,
           site.journal.row().id, e->getDescription());
  }
}

kj::Promise<void> WakeOperation::goOn() {
  auto machine = kj::addRef(KJ_ASSERT_NONNULL(site.machine.current()));
  co_await machine->resume();
  // It runs, whatever its agent does.
  auto failure = co_await failureOf([&]() {
    return within(site.world.timer, GREET_LIMIT, "its agent does not answer", greet(*machine));
  });
  KJ_IF_MAYBE (e, failure) {
    seen = kj::str(
        "its clock and its randomness were not set, and its programs go on by "
        "themselves: ",
        lineOf(*e));
  }
}

kj::Promise<void> WakeOperation::greet(Machine& machine) {
  co_await machine.ready();
  auto seed = kj::heapArray<kj::byte>(SEED_BYTES);
  site.world.randomness.fill(seed);
  auto woken = co_await machine.wakeGuest(site.world.clock.now(), kj::mv(seed));
  KJ_IF_MAYBE (w, woken) {
    seen = kj::str(clockText(w->behind), ", its randomness was seeded anew, and its programs ",
                   w->wasFrozen ? "stood still until then" : "had gone on before");
  }
}

kj::Promise<Operation::Settled> WakeOperation::settle(kj::Maybe<kj::Exception> failure) {
  auto& journal = site.journal;
  kj::Maybe<Machine&> current = site.machine.current();
  kj::String why;
  KJ_IF_MAYBE (e, failure) {
    why = lineOf(*e);
    bool isEnding = false;
    KJ_IF_MAYBE (machine, current) isEnding = machine->isEnding();
    if (isLost || (isSpent() && (current == nullptr || isEnding))) {
      co_return co_await settleLost(why);
    }
    whyFailed = kj::str(why);
  }
  auto outcome = failure == nullptr ? Outcome::SUCCEEDED : Outcome::FAILED;
  const bool hasMachine = isSpent();
  bool isReleased = false;
  if (outcome == Outcome::FAILED && !hasMachine) {
    // One that has the memory and has not run is given up; the next has it again.
    if (site.machine.current() != nullptr) co_await site.machine.tryToEnd().ignoreResult();
    isReleased = co_await site.machine.giveUp(MachineSlot::Left::PERHAPS);
  }
  auto next = [this, outcome, hasMachine, isReleased]() {
    // One that could not be let go on stands still.
    auto rows = outcome == Outcome::FAILED && hasMachine
                    ? site.journal.resting(Rest::PAUSED)
                    : site.journal.ending(OperationKind::WAKE, outcome);
    if (isReleased) rows.machine = nullptr;
    return rows;
  };
  auto text = failure == nullptr ? detail() : kj::str("it could not be resumed: ", why);
  auto turn = co_await journal.settle(kj::mv(next), Cause::REQUEST, kj::mv(text));
  if (hasMachine) site.machine.watch();
  if (failure == nullptr) site.progress.reach(Stage::AGENT_READY);
  site.progress.end();
  co_return Settled{kj::mv(turn), nullptr};
}

// The disk is as it was when its programs stood still: it starts from there.
kj::Promise<Operation::Settled> WakeOperation::settleLost(kj::StringPtr whyParam) {
  auto why = kj::str("its memory is lost, and it starts from its disk: ", whyParam);
  KJ_LOG(ERROR, "a workspace's memory is lost", site.journal.row().name, site.journal.row().id,
         why);
  if (site.machine.current() != nullptr) {
    co_await site.machine.tryToEnd().ignoreResult();
    site.machine.retire();
  }
  auto turn = co_await site.journal.settle(
      [this]() { return StartOperation::beginning(site, StartOperation::Way::MEMORY_LOST); },
      Cause::MEMORY_LOST, kj::mv(why));
  auto operation = storedOperation(site);
  following = kj::addRef(*operation);
  co_return Settled{kj::mv(turn), kj::mv(operation)};
}

kj::String WakeOperation::detail() {
  kj::String time;
  KJ_IF_MAYBE (row, site.journal.machine()) {
    const auto slept = nanosOf(site.world.clock.now()) - row->pausedNanos;
    // The host's clock may have been set back.
    if (row->pausedNanos != 0 && slept >= 0) {
      time = kj::str(" for ", secondsOf(slept * kj::NANOSECONDS));
    }
  }
  const auto read = took > 0 * kj::SECONDS
                        ? kj::str("its memory was read in ", secondsOf(took), "; ")
                        : kj::str();
  return kj::str("it was hibernated", time, "; ", read, seen);
}

}  // namespace bothy
