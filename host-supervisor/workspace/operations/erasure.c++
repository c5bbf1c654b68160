#include "workspace/operations/erasure.h"

#include <kj/debug.h>

#include "workspace/steps.h"

namespace bothy {
namespace {

// The key first: whatever fails after this, or is found on the disk one day, is noise.  Unless it cannot be: a disk that is full
// takes no keyring without the key, and what makes room is the end of the volume.
constexpr Step STEPS[] = {
    {Erasure::FIRST_STEP, Step::OnFailure::END, Step::Storing::FIRST, ""_kj},
    {"machine"_kj, Step::OnFailure::TRY_AGAIN, Step::Storing::IF_IT_CAN, ""_kj},
    {"disk"_kj, Step::OnFailure::TRY_AGAIN, Step::Storing::IF_IT_CAN, ""_kj},
    {"last key"_kj, Step::OnFailure::TRY_AGAIN, Step::Storing::IF_IT_CAN,
     "the key of the disk could not be destroyed"_kj},
    {"files"_kj, Step::OnFailure::TRY_AGAIN, Step::Storing::IF_IT_CAN, ""_kj},
};
enum { KEY, MACHINE, DISK, LAST_KEY, FILES };

constexpr kj::StringPtr FAILED_CREATION = "failed creation"_kj, UNUSED = "idle"_kj;

Erasure::Of ofParameters(kj::StringPtr parameters) {
  if (parameters == FAILED_CREATION) return Erasure::Of::FAILED_CREATION;
  return parameters == UNUSED ? Erasure::Of::UNUSED : Erasure::Of::WORKSPACE;
}

}  // namespace

kj::StringPtr Erasure::parametersOf(Of of) {
  switch (of) {
    case Of::WORKSPACE:
      return nullptr;
    case Of::FAILED_CREATION:
      return FAILED_CREATION;
    case Of::UNUSED:
      return UNUSED;
  }
  KJ_UNREACHABLE;
}

Erasure::Erasure(const Site& site, kj::StringPtr parameters)
    : site(site), of(ofParameters(parameters)) {}

kj::ArrayPtr<const Step> Erasure::steps() const {
  return STEPS;
}

kj::Maybe<kj::Duration> Erasure::limitOf(size_t step) const {
  switch (step) {
    case LAST_KEY:
      return site.world.deadlines.disk;
    default:
      return nullptr;
  }
}

kj::Promise<void> Erasure::destroyKey() {
  co_await site.world.keys.destroy(site.journal.row().id);
  mayHaveKey = false;
}

kj::Promise<void> Erasure::tryDestroyKey() {
  if (!mayHaveKey) return kj::READY_NOW;
  return within(site.world.timer, site.world.deadlines.disk,
                "the key of the disk could not be destroyed", destroyKey())
      .catch_([this](kj::Exception&& e) {
        KJ_LOG(ERROR, "a key could not be destroyed yet", site.journal.row().name,
               site.journal.row().id, e.getDescription());
      });
}

kj::Promise<void> Erasure::run(size_t step) {
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

}  // namespace bothy
