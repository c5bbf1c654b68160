// Memory of machines that sleep: what libvirt writes, and what SimulatedVolumes keeps beside disks.

#include <kj/debug.h>

#include "simulation/simulated-volumes.h"

namespace bothy {

kj::Promise<void> SimulatedVolumes::createMemory(kj::StringPtr idParam, uint64_t, Secret key) {
  auto id = kj::str(idParam);
  auto what = kj::str("make room for the memory of ", host.label(id));
  if (host.storedState(id) != WorkspaceState::HIBERNATING) {
    host.judge.accuse("room is made for memory of ", host.label(id),
                      ", which is not `hibernating`");
  }
  auto effect = [this, id = kj::mv(id), key = kj::mv(key)]() {
    host.memories.upsert(kj::str(id), {kj::heapArray<kj::byte>(key.bytes())});
  };
  return run(kj::mv(what), true, kj::mv(effect), []() {});
}

kj::Promise<uint64_t> SimulatedVolumes::sealMemory(kj::StringPtr idParam, uint64_t generation,
                                                   Secret) {
  auto id = kj::str(idParam);
  auto what = kj::str("seal the memory of ", host.label(id), " as of sleep ", generation);
  // The disk comes first.
  auto half = [this, id = kj::str(id), generation]() {
    KJ_IF_MAYBE (volume, host.volumes.find(id)) volume->seal = generation;
  };
  auto effect = [this, id = kj::mv(id), generation]() {
    requireUnused(id, "sealed");
    find(id).seal = generation;
    KJ_REQUIRE_NONNULL(host.memories.find(id), "simulated: there is no memory").seal = generation;
  };
  return run(kj::mv(what), false, kj::mv(effect), kj::mv(half)).then([]() {
    return uint64_t{20} << 20;
  });
}

kj::Promise<void> SimulatedVolumes::checkMemory(kj::StringPtr idParam, uint64_t generation,
                                                Secret key) {
  auto id = kj::str(idParam);
  auto what = kj::str("check the memory of ", host.label(id));
  auto effect = [this, id = kj::mv(id), generation, key = kj::mv(key)]() {
    auto& volume = find(id);
    auto& memory = KJ_REQUIRE_NONNULL(host.memories.find(id), "simulated: there is no memory");
    KJ_REQUIRE(memory.key.asPtr() == key.bytes(), "simulated: another key");
    KJ_REQUIRE(memory.seal == generation && volume.seal == generation,
               "simulated: of another sleep", memory.seal, volume.seal, generation);
  };
  return run(kj::mv(what), false, kj::mv(effect), []() {});
}

kj::Promise<void> SimulatedVolumes::destroyMemory(kj::StringPtr idParam) {
  auto id = kj::str(idParam);
  auto what = kj::str("destroy the memory of ", host.label(id));
  if (host.storedState(id) == WorkspaceState::HIBERNATED) {
    host.judge.accuse("the memory of ", host.label(id), " is destroyed, which is `hibernated`");
  }
  auto effect = [this, id = kj::mv(id)]() { host.memories.erase(id); };
  return run(kj::mv(what), false, kj::mv(effect), []() {});
}

void SimulatedMachinery::save(kj::StringPtr nameParam) {
  auto name = kj::str(nameParam);
  auto& m = requireRunning(name);
  if (m.phase() == SimulatedMachine::Phase::RUNS && !m.isPaused()) {
    host.judge.accuse("the machine of ", m.label, " is saved, and its CPUs run");
  }
  auto& domain = KJ_ASSERT_NONNULL(domains.find(name));
  KJ_REQUIRE(!domain.isPlugged, "simulated: the vsock device cannot be saved");
  auto& memory = KJ_REQUIRE_NONNULL(host.memories.find(name), "simulated: there is no file");
  memory.hasAll = true;
  memory.secret = kj::heapArray<kj::byte>(m.spec.secret);
  memory.machine = m.saved();
  KJ_IF_MAYBE (volume, host.volumes.find(name)) memory.runs = volume->runs;
  auto qemu = kj::addRef(*domain.qemu);
  end(*qemu);
}

void SimulatedHost::putMemoryBack(kj::StringPtr id) {
  KJ_IF_MAYBE (memory, memories.find(id)) {
    if (storedState(id).orDefault(WorkspaceState::DELETING) != WorkspaceState::HIBERNATED) return;
    if (memory->isOld) return;
    trace.line("host", "somebody puts back an earlier memory of ", label(id));
    memory->isOld = true;
    --memory->seal;
    --memory->runs;
  }
}

}  // namespace bothy
