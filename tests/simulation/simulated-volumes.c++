#include "simulation/simulated-volumes.h"

#include <kj/debug.h>
#include <kj/vector.h>

#include "volume/encrypted-volume-store.h"

namespace bothy {
namespace {

constexpr kj::Duration QUICKEST = 1 * kj::MILLISECONDS, QUICK = 40 * kj::MILLISECONDS;
constexpr uint32_t ROOT = 0;
constexpr uint64_t PLENTY_BYTES = 1ull << 40;
// Beyond every deadline.
constexpr kj::Duration SLOW = 5 * kj::SECONDS, SLOWEST = 100 * kj::SECONDS;

}  // namespace

SimulatedVolumes::SimulatedVolumes(SimulatedHost& host, Lifetime& lifetime)
    : host(host), lifetime(lifetime), tasks(*this) {}

SimulatedVolumes::~SimulatedVolumes() noexcept(false) {
  KJ_IF_MAYBE (job, underWay) {
    auto& left = (*job)->what;
    switch (host.fate.below(3)) {
      case 0:
        host.trace.line("volumes", left, ": killed before it was done");
        break;
      case 1:
        host.trace.line("volumes", left, ": killed halfway");
        (*job)->half();
        break;
      default:
        host.trace.line("volumes", left, ": killed after it was done");
        kj::runCatchingExceptions([&]() { (*job)->effect(); });
        break;
    }
    host.touch();
  }
}

void SimulatedVolumes::taskFailed(kj::Exception&& exception) {
  host.judge.accuse("the thread of volumes ended: ", exception.getDescription());
}

kj::Promise<void> SimulatedVolumes::run(kj::String what, bool needsSpace,
                                        kj::Function<void()> effect, kj::Function<void()> half) {
  lifetime.step();
  auto paf = kj::newPromiseAndFulfiller<void>();
  bool idle = jobs.empty() && underWay == nullptr;
  auto late = kj::str("simulated: ", what, " did not end in time");
  jobs.push_back(kj::heap<Job>(
      Job{kj::mv(what), needsSpace, kj::mv(effect), kj::mv(half), kj::mv(paf.fulfiller)}));
  if (idle) tasks.add(work());
  return paf.promise.exclusiveJoin(
      host.timer.afterDelay(VOLUME_CALL_LIMIT).then([late = kj::mv(late)]() -> kj::Promise<void> {
        return KJ_EXCEPTION(OVERLOADED, kj::str(late));
      }));
}

kj::Maybe<kj::Exception> SimulatedVolumes::fault(const Job& job) {
  if (host.fate.strikes(Fault::VOLUME_REFUSED)) {
    return KJ_EXCEPTION(FAILED, "simulated: the disk does not obey");
  }
  if (job.needsSpace && host.fate.strikes(Fault::VOLUME_FULL)) {
    return KJ_EXCEPTION(OVERLOADED, "simulated: the disk is full");
  }
  return nullptr;
}

kj::Promise<void> SimulatedVolumes::work() {
  while (!jobs.empty()) {
    underWay = kj::mv(jobs.front());
    jobs.pop_front();
    auto& job = *KJ_ASSERT_NONNULL(underWay);
    if (!job.done->isWaiting()) continue;
    auto takes = host.fate.between(QUICKEST, QUICK);
    if (host.fate.strikes(Fault::VOLUME_SLOW)) takes = host.fate.between(SLOW, SLOWEST);
    co_await host.timer.afterDelay(takes);
    if (lifetime.isOver()) co_return;
    auto failure = fault(job);
    if (failure == nullptr) failure = kj::runCatchingExceptions([&]() { job.effect(); });
    host.touch();
    KJ_IF_MAYBE (e, failure) {
      host.trace.line("volumes", job.what, ": ", e->getDescription());
      job.done->reject(kj::mv(*e));
    } else {
      host.trace.line("volumes", job.what);
      job.done->fulfill();
    }
    underWay = nullptr;
  }
  underWay = nullptr;
}

SimulatedHost::Volume& SimulatedVolumes::find(kj::StringPtr id) {
  auto& volume = KJ_REQUIRE_NONNULL(host.volumes.find(id), "simulated: there is no such volume");
  KJ_REQUIRE(volume.whole, "simulated: the volume is not whole");
  return volume;
}

void SimulatedVolumes::requireUnused(kj::StringPtr id, kj::StringPtr what) {
  if (host.isInUse(id)) {
    host.judge.accuse("the disk of ", host.label(id), " is ", what, " while a machine uses it");
  }
}

kj::Promise<void> SimulatedVolumes::create(kj::StringPtr idParam, uint64_t bytes, Secret key) {
  auto id = kj::str(idParam);
  auto what = kj::str("create ", host.label(id), ", ", bytes >> 20, " MiB");
  if (host.storedState(id) != WorkspaceState::CREATING) {
    host.judge.accuse("a disk is made for ", host.label(id), ", which is not `creating`");
  }
  auto half = [this, id = kj::str(id)]() {
    host.volumes.upsert(kj::str(id), {0, ROOT, nullptr, false, false});
  };
  auto effect = [this, id = kj::mv(id), bytes, key = kj::mv(key)]() {
    requireUnused(id, "made");
    for (auto& other : host.volumes) {
      if (other.key != id && other.value.key.asPtr() == key.bytes()) {
        host.judge.accuse("the disk of ", host.label(id), " is made with the key of ",
                          host.label(other.key));
      }
    }
    host.volumes.upsert(kj::str(id),
                        {bytes, ROOT, kj::heapArray<kj::byte>(key.bytes()), true, false});
  };
  return run(kj::mv(what), true, kj::mv(effect), kj::mv(half));
}

kj::Promise<void> SimulatedVolumes::give(kj::StringPtr idParam, uint32_t uid) {
  auto id = kj::str(idParam);
  auto what = kj::str("give ", host.label(id), " to ", uid);
  KJ_IF_MAYBE (machine, host.store.machine(id)) {
    if (machine->uid != uid) {
      host.judge.accuse("the disk of ", host.label(id), " is given to another lease than its own");
    }
  } else {
    host.judge.accuse("the disk of ", host.label(id), " is given to nobody's lease");
  }
  auto effect = [this, id = kj::mv(id), uid]() {
    requireUnused(id, "given away");
    find(id).uid = uid;
  };
  return run(kj::mv(what), false, kj::mv(effect), []() {});
}

kj::Promise<void> SimulatedVolumes::reclaim(kj::StringPtr idParam) {
  auto id = kj::str(idParam);
  auto what = kj::str("reclaim ", host.label(id));
  auto effect = [this, id = kj::mv(id)]() {
    requireUnused(id, "taken back");
    KJ_IF_MAYBE (volume, host.volumes.find(id)) volume->uid = ROOT;
  };
  return run(kj::mv(what), false, kj::mv(effect), []() {});
}

kj::Promise<void> SimulatedVolumes::grow(kj::StringPtr idParam, uint64_t bytes) {
  auto id = kj::str(idParam);
  auto what = kj::str("grow ", host.label(id), " to ", bytes >> 20, " MiB");
  auto state = host.storedState(id);
  KJ_IF_MAYBE (row, host.store.row(id)) {
    // A start makes a disk as large as a change of the tier has promised.
    const bool isPromised = row->nextDiskMib > 0 && bytes == uint64_t{row->nextDiskMib} << 20;
    if (state == WorkspaceState::STARTING && isPromised) state = WorkspaceState::RESIZING;
  }
  if (state != WorkspaceState::RESIZING) {
    host.judge.accuse("the disk of ", host.label(id), " grows, which is not `resizing`");
  }
  auto effect = [this, id = kj::mv(id), bytes]() {
    requireUnused(id, "made larger");
    auto& volume = find(id);
    if (host.sabotage == Sabotage::GROWTH_IS_FORGOTTEN) return;
    volume.bytes = kj::max(volume.bytes, bytes);
  };
  return run(kj::mv(what), true, kj::mv(effect), []() {});
}

kj::Promise<void> SimulatedVolumes::check(kj::StringPtr idParam, uint64_t bytes) {
  auto id = kj::str(idParam);
  auto what = kj::str("check ", host.label(id));
  auto effect = [this, id = kj::mv(id), bytes]() {
    requireUnused(id, "checked");
    auto& volume = find(id);
    KJ_REQUIRE(volume.bytes == bytes, "simulated: the volume has another size", bytes);
    volume.checked = true;
  };
  return run(kj::mv(what), false, kj::mv(effect), []() {});
}

kj::Promise<void> SimulatedVolumes::requireRoom() {
  return run(kj::str("look for room"), true, []() {}, []() {});
}

kj::Promise<uint64_t> SimulatedVolumes::freeBytes() {
  // What the thread fills in; the call may be dropped before.
  struct Found final: public kj::Refcounted {
    uint64_t bytes = PLENTY_BYTES;
  };
  auto found = kj::refcounted<Found>();
  auto effect = [this, result = kj::addRef(*found)]() mutable {
    if (host.fate.strikes(Fault::VOLUME_FULL)) result->bytes = 0;
  };
  return run(kj::str("look what is free"), false, kj::mv(effect), []() {})
      .then([found = kj::mv(found)]() { return found->bytes; });
}

kj::Promise<void> SimulatedVolumes::destroy(kj::StringPtr idParam) {
  auto id = kj::str(idParam);
  auto what = kj::str("destroy ", host.label(id));
  auto state = host.storedState(id);
  if (state != WorkspaceState::DELETING && state != WorkspaceState::EXPIRING &&
      state != WorkspaceState::CREATING) {
    host.judge.accuse("the disk of ", host.label(id), " is destroyed, which is not `deleting`");
  }
  auto half = [this, id = kj::str(id)]() {
    KJ_IF_MAYBE (volume, host.volumes.find(id)) {
      volume->whole = false;
    }
  };
  auto effect = [this, id = kj::mv(id)]() {
    requireUnused(id, "destroyed");
    host.memories.erase(id);
    if (host.sabotage != Sabotage::VOLUME_IS_KEPT) host.volumes.erase(id);
  };
  return run(kj::mv(what), false, kj::mv(effect), kj::mv(half));
}

kj::Promise<kj::Array<VolumeStore::Listed>> SimulatedVolumes::list() {
  // What the thread fills in; the call may be dropped before.
  struct Found final: public kj::Refcounted {
    kj::Vector<Listed> volumes;
  };
  auto found = kj::refcounted<Found>();
  auto effect = [this, result = kj::addRef(*found)]() mutable {
    for (auto& entry : host.volumes) {
      kj::Maybe<uint32_t> user;
      if (entry.value.uid != ROOT) user = entry.value.uid;
      result->volumes.add(Listed{kj::str(entry.key), user});
    }
  };
  return run(kj::str("list"), false, kj::mv(effect), []() {})
      .then([found = kj::mv(found)]() mutable { return found->volumes.releaseAsArray(); });
}

}  // namespace bothy
