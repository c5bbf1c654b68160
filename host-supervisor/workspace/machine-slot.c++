#include "workspace/machine-slot.h"

#include <kj/debug.h>

#include "schema/limits.capnp.h"
#include "workspace/kernel-command-line.h"
#include "workspace/steps.h"
#include "workspace/workspace-id.h"

namespace bothy {
namespace {

// The end of a machine is told though its disk hangs: the lease is released later then.
constexpr kj::Duration RECLAIM_LIMIT = 5 * kj::SECONDS;

}  // namespace

MachineSlot::MachineSlot(const World& world, WorkspaceJournal& journal, MachineLeases& leases,
                         kj::Function<kj::Promise<void>(VmEnd)> ended, kj::Function<void()> changed)
    : world(world),
      journal(journal),
      leases(leases),
      ended(kj::mv(ended)),
      changed(kj::mv(changed)) {}

MachineSlot::~MachineSlot() noexcept(false) {}

kj::Maybe<Machine&> MachineSlot::current() {
  return machine.map([](kj::Own<Machine>& m) -> Machine& { return *m; });
}

VmSpec MachineSlot::spec(kj::Maybe<Image> image) {
  auto& row = journal.row();
  auto paths = world.files.paths(row.id);
  VmSpec spec;
  spec.name = kj::str(row.id);
  spec.cpus = row.cpus;
  spec.memoryBytes = uint64_t(row.memoryMib) * 1024 * 1024;
  KJ_IF_MAYBE (i, image) {
    spec.kernel = kj::mv(i->kernel);
    spec.initramfs = kj::mv(i->initramfs);
    spec.rootImage = kj::mv(i->rootImage);
  }
  spec.dataDisk = world.volumes.path(row.id);
  auto& lease = requireLease();
  spec.uid = lease.uid;
  spec.cid = lease.cid;
  KJ_IF_MAYBE (name, WorkspaceName::parse(row.name)) {
    spec.commandLine = kernelCommandLine(*name, row.cpus);
  } else {
    KJ_FAIL_REQUIRE("the store holds a name that is none", row.id);
  }
  spec.secret = kj::heapArray<kj::byte>(lease.secret);
  spec.runtimeDir = kj::mv(paths.runtimeDir);
  spec.consoleLog = kj::mv(paths.consoleLog);
  return spec;
}

void MachineSlot::take(kj::Own<RunningVm> vm) {
  // Another bothyd may have numbered lanes of this boot before.
  uint64_t firstLane;
  world.randomness.fill(kj::arrayPtr(&firstLane, 1).asBytes());
  machine =
      kj::refcounted<Machine>(world.timer, journal.row().name, kj::mv(vm),
                              kj::heapArray<kj::byte>(requireLease().secret), firstLane >> 1 | 1);
}

const MachineRow& MachineSlot::requireLease() {
  return KJ_REQUIRE_NONNULL(journal.machine(), "the workspace has no lease for a machine", id());
}

kj::Promise<bool> MachineSlot::adopt() {
  // What it must be known by went with its lease, and so did the machine.
  if (journal.machine() == nullptr) co_return false;
  // An image that went away does not matter to a machine that runs.
  kj::Maybe<Image> image;
  kj::runCatchingExceptions([&]() { image = world.images.find(journal.row().image); });
  auto found =
      co_await within(world.timer, world.deadlines.startVm, "the machine could not be taken over",
                      world.driver.adopt(spec(kj::mv(image))));
  KJ_IF_MAYBE (vm, found) {
    take(kj::mv(*vm));
    co_return true;
  }
  co_return false;
}

void MachineSlot::watch() {
  since = world.timer.now();
  watching = KJ_ASSERT_NONNULL(machine)
                 ->onEnd()
                 .then([this](VmEnd end) { return ended(end); })
                 .eagerlyEvaluate([this](kj::Exception&& e) {
                   KJ_LOG(ERROR, "a machine is not watched any more", journal.row().name,
                          e.getDescription());
                 });
}

void MachineSlot::retire() {
  KJ_IF_MAYBE (m, machine) {
    (*m)->retire();
  }
  machine = nullptr;
  changed();
}

kj::Promise<void> MachineSlot::removeOnce(kj::StringPtr complaint) {
  return within(world.timer, world.deadlines.destroyVm, complaint, world.driver.remove(id()));
}

void MachineSlot::forget() {
  watching = nullptr;
  removing = nullptr;
  isRemoving = false;
}

kj::Promise<void> MachineSlot::remove(kj::StringPtr complaint) {
  forget();
  return removeOnce(complaint);
}

void MachineSlot::removeLater() {
  isRemoving = true;
  changed();
  removing = keepRemoving("the machine could not be ended")
                 .then([this]() {
                   isRemoving = false;
                   changed();
                 })
                 .eagerlyEvaluate(nullptr);
}

// A later machine of the same user id must not open it.
kj::Promise<void> MachineSlot::reclaimOnce(kj::Duration limit) {
  return within(world.timer, limit, "the disk could not be taken from its machine",
                world.volumes.reclaim(id()));
}

kj::Promise<bool> MachineSlot::reclaimDisk() {
  if (journal.machine() == nullptr) co_return true;
  kj::Maybe<kj::Exception> failure;
  try {
    co_await reclaimOnce(RECLAIM_LIMIT);
  } catch (...) {
    failure = kj::getCaughtExceptionAsKj();
  }
  KJ_IF_MAYBE (e, failure) {
    KJ_LOG(ERROR, "the user id of a machine that is gone is not free yet", journal.row().name, id(),
           e->getDescription());
  }
  co_return failure == nullptr;
}

kj::Promise<void> MachineSlot::keepRemoving(kj::StringPtr complaint) {
  for (auto pauses = world.pauses();;) {
    kj::Maybe<kj::Exception> failure;
    try {
      auto place = co_await leases.removals.take();
      co_await removeOnce(complaint);
      // Also where no lease is known: an earlier bothyd may have given it to a machine.
      co_await reclaimOnce(world.deadlines.disk);
    } catch (...) {
      failure = kj::getCaughtExceptionAsKj();
    }
    KJ_IF_MAYBE (e, failure) {
      KJ_LOG(ERROR, "a machine that nobody has is not gone yet; trying again", journal.row().name,
             id(), e->getDescription());
      co_await pauses.next();
    } else {
      break;
    }
  }
  if (journal.machine() == nullptr) co_return;
  co_await journal.update([](WorkspaceJournal::Rows& rows) { rows.machine = nullptr; });
}

kj::Array<const kj::byte> MachineSlot::newSecret() {
  auto secret = kj::heapArray<kj::byte>(rpc::SECRET_BYTES);
  world.randomness.fill(secret);
  return kj::mv(secret);
}

kj::String MachineSlot::consoleEnd() {
  kj::String console;
  kj::runCatchingExceptions([&]() { console = world.files.consoleEnd(id()); });
  return console;
}

bool MachineSlot::hasPanicked() {
  return hasPanic(consoleEnd());
}

}  // namespace bothy
