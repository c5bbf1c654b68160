#include "workspace/operations/hibernate-operation.h"

#include <kj/debug.h>

#include "loop/failure-of.h"
#include "workspace/machine-spec.h"
#include "workspace/operations/receipt.h"
#include "workspace/steps.h"

namespace bothy {
namespace {

constexpr Step STEPS[] = {
    {"room"_kj, Step::OnFailure::END, Step::Storing::FIRST,
     "no room could be made for its memory"_kj},
    {"lanes"_kj, Step::OnFailure::END, Step::Storing::FIRST,
     "the machine could not be taken over"_kj},
    {"freeze"_kj, Step::OnFailure::END, Step::Storing::FIRST,
     "its programs could not be stopped"_kj},
    {"halt"_kj, Step::OnFailure::END, Step::Storing::FIRST,
     "the machine's processors could not be stopped"_kj},
    {"save"_kj, Step::OnFailure::END, Step::Storing::FIRST, ""_kj},
    {"seal"_kj, Step::OnFailure::END, Step::Storing::FIRST, ""_kj},
};
enum { ROOM, LANES, FREEZE, HALT, SAVE, SEAL };

// Of the guest's own time: from the stop of its programs to that of its CPUs, and from there, however late that is, to its wake.
constexpr kj::Duration THAW_AFTER = 2 * kj::MINUTES;
// The programs stand still within 5 s or never, and a slow disk takes its time for what they have written.
constexpr kj::Duration FREEZE_LIMIT = 60 * kj::SECONDS;
// A disk that refuses so often keeps nothing.
constexpr int MOST_SEALS = 10;
// For a QEMU to end that has done its work.
constexpr kj::Duration ADOPTION_LIMIT = 15 * kj::SECONDS;
// Of each page there are some bytes more, and the devices have theirs.
constexpr uint64_t STREAM_SHARE = 64;
constexpr uint64_t DEVICES_BYTES = 32ull << 20;

}  // namespace

uint64_t bytesOfMemory(uint32_t memoryMib) {
  const uint64_t memory = uint64_t{memoryMib} << 20;
  const uint64_t bytes = memory + memory / STREAM_SHARE + DEVICES_BYTES;
  return (bytes + (1 << 20) - 1) >> 20 << 20;
}

WorkspaceJournal::Rows HibernateOperation::beginning(const Site& site, Cause cause) {
  auto rows =
      site.journal.beginning(OperationKind::HIBERNATE, STEPS[ROOM].name, parametersOf(cause));
  // Whatever is left of an earlier sleep is not of this one.
  ++rows.row.sleeps;
  return rows;
}

kj::ArrayPtr<const Step> HibernateOperation::steps() const {
  return STEPS;
}

kj::Maybe<kj::Duration> HibernateOperation::limitOf(size_t step) const {
  auto& deadlines = site.world.deadlines;
  switch (step) {
    case ROOM:
      return deadlines.disk;
    case LANES:
      return deadlines.startVm;
    case FREEZE:
      return deadlines.pauseVm + FREEZE_LIMIT;
    case HALT:
      return deadlines.pauseVm;
    default:
      return nullptr;  // the driver has its own
  }
}

kj::Promise<void> HibernateOperation::run(size_t step) {
  switch (step) {
    case ROOM:
      return makeRoom();
    case LANES:
      return machine().then([this](kj::Own<Machine> machine) {
        isAsPaused = machine->isVmPaused();
        auto closed = unlessEnded(*machine, machine->closeLanes());
        return closed.attach(kj::mv(machine));
      });
    case FREEZE:
      return freeze();
    case HALT:
      return machine().then([](kj::Own<Machine> machine) {
        auto halted = unlessEnded(*machine, machine->pause());
        return halted.attach(kj::mv(machine));
      });
    case SAVE:
      return save();
    case SEAL:
      return seal();
    default:
      KJ_UNREACHABLE;
  }
}

// A QEMU that ends within its save has written all, or what it has written is found to be cut off when it is read.  One that is just ending
// cannot be taken over, and is gone in a moment.
kj::Promise<size_t> HibernateOperation::resume(size_t step) {
  if (step == SEAL) co_return SEAL;
  auto pauses = site.world.pauses();
  const auto begun = site.world.timer.now();
  for (;;) {
    auto adoption = co_await site.machine.tryToAdopt();
    if (adoption.isThere) co_return ROOM;
    if (adoption.failure == nullptr) break;
    if (site.world.timer.now() - begun >= ADOPTION_LIMIT) {
      kj::throwFatalException(kj::mv(KJ_ASSERT_NONNULL(adoption.failure)));
    }
    co_await pauses.next();
  }
  if (step == SAVE) co_return SEAL;
  isGone = true;
  kj::throwFatalException(KJ_EXCEPTION(FAILED, "the machine is gone"));
}

// Reserved before anything else is done: what has begun does not end for want of it.
kj::Promise<void> HibernateOperation::makeRoom() {
  isAsPaused = site.journal.row().rest == Rest::PAUSED;
  auto& image = site.journal.row().image;
  if (site.world.images.find(image) == nullptr) {
    kj::throwFatalException(KJ_EXCEPTION(
        FAILED,
        kj::str("the image ", image, " is not installed any more, and it could not go on")));
  }
  auto& lease =
      KJ_REQUIRE_NONNULL(site.journal.machine(), "the workspace has no machine to hibernate");
  const auto most = bytesOfMemory(lease.memoryMib);
  auto opened = co_await diskKey(site.world, site.journal.row().id);
  kj::Maybe<kj::Exception> failure;
  co_await site.world.volumes.createMemory(site.journal.row().id, most, kj::mv(opened))
      .catch_([&failure](kj::Exception&& e) { failure = kj::mv(e); });
  KJ_IF_MAYBE (e, failure) {
    hasNoSpace = e->getType() == kj::Exception::Type::OVERLOADED;
    kj::throwFatalException(kj::mv(*e));
  }
}

// Nobody reaches it any more, and what its programs have written is on its disk.
kj::Promise<void> HibernateOperation::freeze() {
  auto running = co_await machine();
  isAsPaused = false;
  if (running->isVmPaused()) co_await unlessEnded(*running, running->letGoOn());
  if (running->isStalled()) {
    kj::throwFatalException(KJ_EXCEPTION(FAILED, "it stands still, as the host's disk is full"));
  }
  co_await unlessEnded(*running, running->freezeGuest(site.world.clock.now(), THAW_AFTER));
}

kj::Promise<void> HibernateOperation::save() {
  auto saved = co_await machine();
  const auto begun = site.world.timer.now();
  MemoryFile file{site.world.volumes.memoryPath(site.journal.row().id),
                  co_await diskKey(site.world, site.journal.row().id)};
  co_await saved->save(kj::mv(file));
  took = site.world.timer.now() - begun;
}

kj::Promise<void> HibernateOperation::seal() {
  // Of a machine that an earlier bothyd has saved.
  if (site.machine.current() == nullptr) {
    co_await site.machine.remove("what is left of its machine could not be removed");
  }
  auto pauses = site.world.pauses();
  for (int tries = 1;; tries++) {
    auto failure = co_await failureOf([&]() { return sealOnce(); });
    if (failure == nullptr) co_return;
    if (tries >= MOST_SEALS) {
      // Nothing else is left of it: it is as one whose machine is gone.
      isGone = true;
      auto& e = KJ_ASSERT_NONNULL(failure);
      whatIsGone = kj::str("its memory could not be kept, and its machine is gone: ", lineOf(e));
      kj::throwFatalException(kj::mv(e));
    }
    co_await pauses.next();
  }
}

kj::Promise<void> HibernateOperation::sealOnce() {
  auto& world = site.world;
  auto& row = site.journal.row();
  auto opened = co_await diskKey(site.world, site.journal.row().id);
  bytes =
      co_await within(world.timer, world.deadlines.disk, "what was saved could not be made durable",
                      world.volumes.sealMemory(row.id, row.sleeps, kj::mv(opened)));
}

kj::Promise<Operation::Settled> HibernateOperation::settle(kj::Maybe<kj::Exception> failure) {
  if (failure == nullptr) co_return co_await settleSaved();
  co_await discard();
  co_return co_await HaltOperation::settle(kj::mv(failure));
}

kj::Promise<void> HibernateOperation::discard() {
  auto& world = site.world;
  auto failure = co_await failureOf([&]() {
    return within(world.timer, world.deadlines.disk, "memory could not be removed",
                  world.volumes.destroyMemory(site.journal.row().id));
  });
  KJ_IF_MAYBE (e, failure) {
    KJ_LOG(ERROR, "memory of a workspace that is of no use is left", site.journal.row().name,
           site.journal.row().id, e->getDescription());
  }
}

kj::Promise<Operation::Settled> HibernateOperation::settleSaved() {
  SleepRecord sleep;
  sleep.bytes = bytes;
  // Of an image that went away meanwhile nothing goes on.
  kj::runCatchingExceptions([&]() {
    KJ_IF_MAYBE (image, site.world.images.find(site.journal.row().image)) {
      sleep.format = sleepFormat(site.world, *image);
    }
  });
  KJ_IF_MAYBE (boot, site.journal.machine()) {
    sleep.secret = kj::heapArray<kj::byte>(boot->secret);
    sleep.startedNanos = boot->startedNanos;
    sleep.agentVersion = kj::str(boot->agentVersion);
    sleep.cpus = boot->cpus;
    sleep.memoryMib = boot->memoryMib;
  }
  const bool isReleased = co_await site.machine.giveUp(MachineSlot::Left::NOTHING);
  auto next = [this, isReleased, sleep = kj::mv(sleep)]() {
    auto rows = site.journal.ending(OperationKind::HIBERNATE, Outcome::SUCCEEDED);
    if (isReleased) rows.machine = nullptr;
    rows.row.sleep = sleep.clone();
    rows.row.sleep.sinceNanos = nanosOf(site.world.clock.now());
    return rows;
  };
  auto turn = co_await site.journal.settle(kj::mv(next), cause, detail());
  co_return Settled{kj::mv(turn), nullptr};
}

kj::Promise<void> HibernateOperation::undo(Machine& machine) {
  if (isAsPaused && machine.isVmPaused()) co_return;
  isAsPaused = false;
  co_await machine.resume();
  // Its programs go on; or by themselves, if it does not answer.
  auto failure = co_await failureOf([&]() {
    return within(site.world.timer, FREEZE_LIMIT, "its agent does not answer",
                  machine.wakeGuest(site.world.clock.now()).ignoreResult());
  });
  KJ_IF_MAYBE (e, failure) {
    KJ_LOG(WARNING, "a workspace that was not hibernated goes on late", site.journal.row().name,
           site.journal.row().id, e->getDescription());
  }
  // It has run for this alone.
  if (site.journal.row().rest == Rest::PAUSED) co_await machine.pause();
}

WorkspaceJournal::Rows HibernateOperation::rowsAfter(Outcome outcome) {
  KJ_IF_MAYBE (machine, site.machine.current()) {
    // Also one that could not be let go on.
    if (outcome == Outcome::FAILED && machine->isVmPaused()) {
      return site.journal.resting(Rest::PAUSED);
    }
  }
  return HaltOperation::rowsAfter(outcome);
}

kj::String HibernateOperation::detail() {
  const auto time = took > 0 * kj::SECONDS ? kj::str(", in ", secondsOf(took)) : kj::String();
  return kj::str("its memory has ", (bytes + (1 << 20) - 1) >> 20, " MiB on the disk", time,
                 ", and it has no machine any more");
}

kj::String HibernateOperation::detailOfFailure(kj::StringPtr why) {
  return kj::str("it could not be hibernated: ", why);
}

}  // namespace bothy
