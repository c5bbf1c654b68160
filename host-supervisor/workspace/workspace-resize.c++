// Making the disk of a workspace larger.

#include <kj/debug.h>

#include "workspace/steps.h"
#include "workspace/workspace-spec.h"
#include "workspace/workspace.h"

namespace bothy {
namespace {

constexpr uint64_t MEBIBYTE = 1024 * 1024;
// Times that the size of a disk is asked for, some minutes in all.
constexpr uint32_t SIZE_CHECKS = 8;

}  // namespace

kj::Promise<Workspace::ResizeOutcome> Workspace::resize(uint32_t diskMib) {
  return keepOn(kj::evalNow([&]() { return resizeOrNot(diskMib); }));
}

kj::Promise<Workspace::ResizeOutcome> Workspace::resizeOrNot(uint32_t diskMib) {
  auto turn = co_await turns->take();
  if (replyTo(Wish::RESIZE, record.state) != Reply::BEGIN) co_return Busy{record.state};
  if (record.damage.size() > 0) co_return ResizeFailure{kj::str(record.damage), false};
  KJ_IF_MAYBE (fault, checkGrowth(record.diskMib, diskMib)) {
    co_return InvalidSize{kj::mv(*fault)};
  }
  if (diskMib == record.diskMib) co_return Resized();
  co_await catchUp();
  auto next = changed(Happening::RESIZE_BEGAN, nullptr);
  next.row.wantedDiskMib = diskMib;
  co_await transitionTo(kj::mv(next), Cause::REQUEST, nullptr);
  beginResize();
  auto outcome = KJ_ASSERT_NONNULL(resizing).addBranch().then(
      [](kj::Own<ResizeReport> report) -> ResizeOutcome {
        KJ_IF_MAYBE (failure, report->failure) {
          return ResizeFailure{kj::str(failure->why), failure->noSpace};
        }
        return Resized();
      },
      [](kj::Exception&& e) -> ResizeOutcome { return supersededBy(kj::mv(e)); });
  turn = nullptr;
  co_return co_await outcome;
}

void Workspace::beginResize() {
  resizing = canceler.wrap(kj::evalNow([&]() { return runResize(); })).fork();
}

kj::Promise<kj::Own<Workspace::ResizeReport>> Workspace::runResize() {
  auto report = kj::refcounted<ResizeReport>();
  // Of a start that failed, or of a machine that could not be taken over: while there is one, its disk is not
  // to be touched.
  co_await removeLeftMachine();
  kj::Maybe<kj::Exception> failure;
  try {
    co_await begun([this]() {
      return within(world.timer, world.deadlines.disk, "the disk could not be made larger",
                    world.volumes.grow(record.id, uint64_t(record.wantedDiskMib) * MEBIBYTE));
    });
  } catch (...) {
    failure = kj::getCaughtExceptionAsKj();
  }
  KJ_IF_MAYBE (e, failure) {
    KJ_LOG(ERROR, "a workspace's disk could not be made larger", record.name, record.id,
           record.wantedDiskMib, e->getDescription());
    if (!co_await hasGrownLater()) {
      report->failure = ResizeFailure{lineOf(*e), e->getType() == kj::Exception::Type::OVERLOADED};
      auto turn = co_await settle(Happening::RESIZE_ENDED, Cause::RESIZE_FAILED, lineOf(*e));
      co_return kj::mv(report);
    }
  }
  record.diskMib = record.wantedDiskMib;
  auto turn = co_await settle(Happening::RESIZE_ENDED, Cause::REQUEST,
                              kj::str("its disk has ", record.diskMib, " MiB"));
  co_return kj::mv(report);
}

// A growth that took too long may have been carried out all the same.  The store carries out one call after
// the other, so what it finds now is what stays.
kj::Promise<bool> Workspace::hasGrownLater() {
  RetryPauses pauses(world);
  for (uint32_t i = 0; i < SIZE_CHECKS; i++) {
    if (co_await hasSize(record.diskMib)) co_return false;
    if (co_await hasSize(record.wantedDiskMib)) co_return true;
    co_await pauses.next();
  }
  // The disk is broken, and the next start says in which way.
  KJ_LOG(ERROR, "how large a workspace's disk is cannot be found", record.name, record.id);
  co_return false;
}

kj::Promise<bool> Workspace::hasSize(uint32_t mib) {
  return within(world.timer, world.deadlines.disk, "the disk could not be examined",
                kj::evalNow([&]() { return world.volumes.check(record.id, mib * MEBIBYTE); }))
      .then([]() { return true; }, [](kj::Exception&&) { return false; });
}

}  // namespace bothy
