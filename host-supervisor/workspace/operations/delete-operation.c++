#include "workspace/operations/delete-operation.h"

#include <kj/debug.h>

#include "workspace/steps.h"

namespace bothy {
namespace {

// The key first: whatever fails after this, or is found on the disk one day, is noise.  Unless it cannot be: a disk that is full
// takes no keyring without the key, and what makes room is the end of the volume.
constexpr Step STEPS[] = {
    {DeleteOperation::FIRST_STEP, Step::OnFailure::END, Step::Storing::FIRST, ""_kj},
    {"machine"_kj, Step::OnFailure::TRY_AGAIN, Step::Storing::IF_IT_CAN, ""_kj},
    {"disk"_kj, Step::OnFailure::TRY_AGAIN, Step::Storing::IF_IT_CAN, ""_kj},
    {"last key"_kj, Step::OnFailure::TRY_AGAIN, Step::Storing::IF_IT_CAN,
     "the key of the disk could not be destroyed"_kj},
    {"files"_kj, Step::OnFailure::TRY_AGAIN, Step::Storing::IF_IT_CAN, ""_kj},
};
enum { KEY, MACHINE, DISK, LAST_KEY, FILES };

constexpr kj::StringPtr FAILED_CREATION = "failed creation"_kj;

}  // namespace

WorkspaceJournal::Rows DeleteOperation::beginning(const Site& site, Of of) {
  return site.journal.beginning(OperationKind::DELETE, FIRST_STEP,
                                of == Of::FAILED_CREATION ? FAILED_CREATION : nullptr);
}

DeleteOperation::DeleteOperation(const Site& site, kj::StringPtr parameters)
    : site(site), of(parameters == FAILED_CREATION ? Of::FAILED_CREATION : Of::WORKSPACE) {}

kj::ArrayPtr<const Step> DeleteOperation::steps() const {
  return STEPS;
}

kj::Maybe<kj::Duration> DeleteOperation::limitOf(size_t step) const {
  switch (step) {
    case LAST_KEY:
      return site.world.deadlines.disk;
    default:
      return nullptr;
  }
}

kj::Promise<void> DeleteOperation::destroyKey() {
  co_await site.world.keys.destroy(site.journal.row().id);
  mayHaveKey = false;
}

kj::Promise<void> DeleteOperation::tryDestroyKey() {
  if (!mayHaveKey) return kj::READY_NOW;
  return within(site.world.timer, site.world.deadlines.disk,
                "the key of the disk could not be destroyed", destroyKey())
      .catch_([this](kj::Exception&& e) {
        KJ_LOG(ERROR, "a key could not be destroyed yet", site.journal.row().name,
               site.journal.row().id, e.getDescription());
      });
}

kj::Promise<void> DeleteOperation::run(size_t step) {
  auto& world = site.world;
  auto& id = site.journal.row().id;
  switch (step) {
    case KEY:
      co_await tryDestroyKey();
      break;
    case MACHINE:
      co_await tryDestroyKey();
      co_await site.machine.remove();
      site.machine.retire();
      break;
    case DISK:
      co_await tryDestroyKey();
      co_await within(world.timer, world.deadlines.disk, "the disk could not be destroyed",
                      world.volumes.destroy(id));
      break;
    case LAST_KEY:
      if (mayHaveKey) co_await destroyKey();
      break;
    case FILES:
      co_await within(world.timer, world.deadlines.disk, "the machine's files could not be removed",
                      world.files.remove(id));
      break;
  }
}

kj::Promise<Operation::Settled> DeleteOperation::settle(kj::Maybe<kj::Exception> failure) {
  // Every step is tried until it succeeds.
  KJ_IF_MAYBE (e, failure) kj::throwFatalException(kj::mv(*e));
  auto turn =
      co_await site.journal.remove(of == Of::FAILED_CREATION ? Cause::RECOVERED : Cause::REQUEST);
  site.listener.deleted();
  co_return Settled{kj::mv(turn), nullptr};
}

}  // namespace bothy
