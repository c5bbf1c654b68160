#include "workspace/machine-spec.h"

#include <kj/debug.h>

#include "workspace/kernel-command-line.h"
#include "workspace/workspace-id.h"

namespace bothy {

IoLimits ioLimitsOf(const Tier& tier) {
  return {uint64_t{tier.readMib} << 20, uint64_t{tier.writeMib} << 20, tier.readOperations,
          tier.writeOperations};
}

IoLimits ioLimitsOf(const World& world, const WorkspaceRow& row) {
  KJ_IF_MAYBE (tiers, world.tiers) {
    KJ_IF_MAYBE (tier, tiers->find(row.tier)) return ioLimitsOf(*tier);
  }
  return {};
}

kj::String sleepFormat(const World& world, const Image& image) {
  return kj::str(world.driver.abilities().memoryFormat, ", image ", image.identity);
}

kj::Promise<Secret> diskKey(const World& world, kj::StringPtr id) {
  return within(world.timer, world.deadlines.disk, "the key of the disk could not be opened",
                world.keys.open(id));
}

VmSpec machineSpec(const World& world, const WorkspaceJournal& journal, kj::Maybe<Image> image) {
  auto& row = journal.row();
  auto paths = world.files.paths(row.id);
  VmSpec spec;
  spec.name = kj::str(row.id);
  KJ_IF_MAYBE (i, image) {
    spec.kernel = kj::mv(i->kernel);
    spec.initramfs = kj::mv(i->initramfs);
    spec.rootImage = kj::mv(i->rootImage);
  }
  spec.dataDisk = world.volumes.path(row.id);
  spec.io = ioLimitsOf(world, row);
  auto& lease =
      KJ_REQUIRE_NONNULL(journal.machine(), "the workspace has no lease for a machine", row.id);
  spec.cpus = lease.cpus;
  spec.memoryBytes = uint64_t(lease.memoryMib) * 1024 * 1024;
  spec.uid = lease.uid;
  spec.cid = lease.cid;
  KJ_IF_MAYBE (name, WorkspaceName::parse(row.name)) {
    spec.commandLine = kernelCommandLine(*name, lease.cpus);
  } else {
    KJ_FAIL_REQUIRE("the store holds a name that is none", row.id);
  }
  spec.secret = kj::heapArray<kj::byte>(lease.secret);
  spec.runtimeDir = kj::mv(paths.runtimeDir);
  spec.consoleLog = kj::mv(paths.consoleLog);
  return spec;
}

kj::Promise<VmSpec> preparedSpec(const World& world, const WorkspaceJournal& journal, Image image) {
  auto& id = journal.row().id;
  auto spec = machineSpec(world, journal, kj::mv(image));
  co_await within(world.timer, world.deadlines.disk, "the disk could not be given to its machine",
                  world.volumes.give(id, spec.uid));
  spec.diskKey = co_await diskKey(world, id);
  co_await within(world.timer, world.deadlines.disk, "the machine's files could not be made",
                  world.files.prepare(id));
  co_return kj::mv(spec);
}

}  // namespace bothy
