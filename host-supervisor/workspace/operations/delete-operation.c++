#include "workspace/operations/delete-operation.h"

#include <kj/debug.h>

#include "workspace/steps.h"

namespace bothy {
namespace {

// The key first: whatever fails after this, or is found on the disk one day, is noise.  Unless it cannot be: a disk that is full
// takes no keyring without the key, and what makes room is the end of the volume.
constexpr Step STEPS[] = {
    {DeleteOperation::FIRST_STEP, Step::OnFailure::END, ""_kj},
    {"machine"_kj, Step::OnFailure::TRY_AGAIN, "the machine could not be ended"_kj},
    {"disk"_kj, Step::OnFailure::TRY_AGAIN, "the disk could not be destroyed"_kj},
    {"last key"_kj, Step::OnFailure::TRY_AGAIN, "the key of the disk could not be destroyed"_kj},
    {"files"_kj, Step::OnFailure::TRY_AGAIN, ""_kj},
};
enum { KEY, MACHINE, DISK, LAST_KEY, FILES };

}  // namespace

kj::ArrayPtr<const Step> DeleteOperation::steps() const {
  return STEPS;
}

kj::Maybe<kj::Duration> DeleteOperation::limitOf(size_t step) const {
  switch (step) {
    case MACHINE:
      return site.world.deadlines.destroyVm;
    case DISK:
    case LAST_KEY:
      return site.world.deadlines.disk;
    default:
      return nullptr;
  }
}

kj::Promise<void> DeleteOperation::destroyKey() {
  co_await site.world.keys.destroy(site.journal.row().id);
  isKeyKept = false;
}

kj::Promise<void> DeleteOperation::run(size_t step) {
  auto& world = site.world;
  auto& id = site.journal.row().id;
  switch (step) {
    case KEY:
      return within(world.timer, world.deadlines.disk, "the key of the disk could not be destroyed",
                    destroyKey())
          .catch_([this](kj::Exception&& e) {
            KJ_LOG(ERROR, "a key is destroyed after its disk", site.journal.row().name,
                   site.journal.row().id, e.getDescription());
          });
    case MACHINE:
      return site.machine.remove().then([this]() { site.machine.retire(); });
    case DISK:
      return world.volumes.destroy(id);
    case LAST_KEY:
      return isKeyKept ? destroyKey() : kj::READY_NOW;
    case FILES:
      world.files.remove(id);
      return kj::READY_NOW;
    default:
      KJ_UNREACHABLE;
  }
}

kj::Promise<Operation::Settled> DeleteOperation::settle(kj::Maybe<kj::Exception> failure) {
  // Every step is tried until it succeeds.
  KJ_IF_MAYBE (e, failure) kj::throwFatalException(kj::mv(*e));
  auto turn = co_await site.journal.remove();
  site.listener.deleted();
  co_return Settled{kj::mv(turn), nullptr};
}

}  // namespace bothy
