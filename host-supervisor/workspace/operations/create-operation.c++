#include "workspace/operations/create-operation.h"

#include <kj/debug.h>

#include "workspace/machine-spec.h"
#include "workspace/operations/delete-operation.h"
#include "workspace/operations/expire-operation.h"
#include "workspace/operations/stored-operation.h"
#include "workspace/steps.h"

namespace bothy {
namespace {

// What a killed bothyd left of a key or a disk is replaced.
constexpr Step STEPS[] = {
    {"room"_kj, Step::OnFailure::END, Step::Storing::FIRST,
     "the room on the host's disk was not found"_kj},
    {"key"_kj, Step::OnFailure::END, Step::Storing::FIRST,
     "the key of the disk could not be made"_kj},
    {"disk"_kj, Step::OnFailure::END, Step::Storing::FIRST, ""_kj},
};
enum { ROOM, KEY, DISK };

constexpr kj::StringPtr START = "start"_kj, AGAIN = "again"_kj;

}  // namespace

OperationRow CreateOperation::beginning(const World& world, kj::StringPtr workspaceId,
                                        bool thenStart, kj::StringPtr requestId) {
  return newOperation(world, workspaceId, OperationKind::CREATE, STEPS[ROOM].name,
                      thenStart ? START : nullptr, requestId);
}

WorkspaceJournal::Rows CreateOperation::beginningAgain(const Site& site) {
  auto rows = site.journal.beginning(OperationKind::CREATE, STEPS[ROOM].name, AGAIN);
  // It is as large as it was to become.
  rows.row.diskMib = rows.row.promisedDiskMib();
  rows.row.nextDiskMib = 0;
  return rows;
}

CreateOperation::CreateOperation(const Site& site, kj::StringPtr parameters)
    : site(site), isAgain(parameters == AGAIN), thenStart(isAgain || parameters == START) {}

bool CreateOperation::startsIt(const OperationRow& row) {
  return row.parameters == START || row.parameters == AGAIN;
}

bool CreateOperation::isOfExpired(const OperationRow& row) {
  return row.kind == nameOf(OperationKind::CREATE) && row.parameters == AGAIN;
}

kj::Maybe<Operation&> CreateOperation::next() {
  return following.map([](kj::Own<Operation>& o) -> Operation& { return *o; });
}

kj::ArrayPtr<const Step> CreateOperation::steps() const {
  return STEPS;
}

kj::Maybe<kj::Duration> CreateOperation::limitOf(size_t step) const {
  if (step == DISK) return nullptr;
  return site.world.deadlines.disk;
}

kj::Promise<void> CreateOperation::run(size_t step) {
  switch (step) {
    case ROOM:
      return site.world.volumes.requireRoom();
    case KEY:
      return site.world.keys.create(site.journal.row().id);
    case DISK:
      return makeDisk();
    default:
      KJ_UNREACHABLE;
  }
}

kj::Promise<void> CreateOperation::makeDisk() {
  auto& world = site.world;
  auto& row = site.journal.row();
  auto key = co_await diskKey(world, row.id);
  // Not while what comes in its place is on its way to the store.
  auto turn = co_await site.journal.takeTurn();
  auto made = within(world.timer, world.deadlines.disk, "the disk could not be made",
                     world.volumes.create(row.id, diskBytes(row), kj::mv(key)));
  turn = nullptr;
  co_await made;
}

Operation::Settled CreateOperation::followed(WorkspaceJournal::Turn turn) {
  auto operation = storedOperation(site);
  following = kj::addRef(*operation);
  return {kj::mv(turn), kj::mv(operation)};
}

kj::Promise<Operation::Settled> CreateOperation::settle(kj::Maybe<kj::Exception> failure) {
  auto& journal = site.journal;
  KJ_IF_MAYBE (e, failure) {
    auto line = lineOf(*e);
    outcome = StartReport::Failure{Stage::CREATING_DISK, StartFault::DISK, kj::str(line), nullptr,
                                   e->getType() == kj::Exception::Type::OVERLOADED};
    auto turn = co_await journal.settle(
        [this]() {
          constexpr auto OF = Erasure::Of::FAILED_CREATION;
          return isAgain ? ExpireOperation::beginning(site, OF)
                         : DeleteOperation::beginning(site, OF);
        },
        Cause::START_FAILED, kj::mv(line));
    site.progress.end();
    co_return followed(kj::mv(turn));
  }
  if (thenStart) {
    auto turn = co_await journal.settle(
        [this]() {
          using Way = StartOperation::Way;
          return StartOperation::beginning(site, isAgain ? Way::RECREATION : Way::CREATION);
        },
        Cause::REQUEST);
    co_return followed(kj::mv(turn));
  }
  auto next = [&journal]() {
    auto rows = journal.ending(OperationKind::CREATE, Outcome::SUCCEEDED);
    // Of an older bothyd: no machine has had it, nor the disk.
    rows.machine = nullptr;
    return rows;
  };
  auto turn = co_await journal.settle(kj::mv(next), Cause::REQUEST, nullptr,
                                      journal.answer(RequestOutcome::SUCCEEDED));
  site.progress.end();
  co_return Settled{kj::mv(turn), nullptr};
}

}  // namespace bothy
