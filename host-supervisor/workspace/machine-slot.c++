#include "workspace/machine-slot.h"

#include <kj/debug.h>

#include "schema/limits.capnp.h"
#include "workspace/kernel-command-line.h"
#include "workspace/steps.h"
#include "workspace/workspace-id.h"

namespace bothy {

MachineSlot::MachineSlot(const World& world, WorkspaceJournal& journal,
                         kj::Function<kj::Promise<void>(VmEnd)> ended, kj::Function<void()> changed)
    : world(world), journal(journal), ended(kj::mv(ended)), changed(kj::mv(changed)) {}

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
  spec.uid = journal.machine().uid;
  spec.cid = journal.machine().cid;
  KJ_IF_MAYBE (name, WorkspaceName::parse(row.name)) {
    spec.commandLine = kernelCommandLine(*name, row.cpus);
  } else {
    KJ_FAIL_REQUIRE("the store holds a name that is none", row.id);
  }
  spec.secret = kj::heapArray<kj::byte>(journal.machine().secret);
  spec.runtimeDir = kj::mv(paths.runtimeDir);
  spec.consoleLog = kj::mv(paths.consoleLog);
  return spec;
}

void MachineSlot::take(kj::Own<RunningVm> vm) {
  // Another bothyd may have numbered lanes of this boot before.
  uint64_t firstLane;
  world.randomness.fill(kj::arrayPtr(&firstLane, 1).asBytes());
  machine = kj::refcounted<Machine>(world.timer, journal.row().name, kj::mv(vm),
                                    kj::heapArray<kj::byte>(journal.machine().secret),
                                    firstLane >> 1 | 1);
}

kj::Promise<bool> MachineSlot::adopt() {
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
  background = KJ_ASSERT_NONNULL(machine)
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
  background = nullptr;
  isRemoving = false;
}

kj::Promise<void> MachineSlot::remove(kj::StringPtr complaint) {
  forget();
  return removeOnce(complaint);
}

void MachineSlot::removeLater() {
  isRemoving = true;
  changed();
  background = keepRemoving("the machine could not be ended")
                   .then([this]() {
                     isRemoving = false;
                     changed();
                   })
                   .eagerlyEvaluate(nullptr);
}

kj::Promise<void> MachineSlot::keepRemoving(kj::StringPtr complaint) {
  for (auto pauses = world.pauses();;) {
    kj::Maybe<kj::Exception> failure;
    try {
      co_await removeOnce(complaint);
      co_return;
    } catch (...) {
      failure = kj::getCaughtExceptionAsKj();
    }
    KJ_LOG(ERROR, "a machine that nobody has is not gone yet; trying again", journal.row().name,
           id(), KJ_ASSERT_NONNULL(failure).getDescription());
    co_await pauses.next();
  }
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
