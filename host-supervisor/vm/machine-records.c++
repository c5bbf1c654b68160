#include "vm/machine-records.h"

#include <kj/debug.h>
#include <kj/refcount.h>

namespace bothy {
namespace {

// What comes back from a thread, whose asker may have gone.
template <typename T>
struct Answer final: public kj::AtomicRefcounted {
  kj::Maybe<T> value;
};

MachineRecords::Found found(MachineStorage& storage, kj::StringPtr name) {
  return {kj::str(name), storage.loadRecord(name)};
}

}  // namespace

kj::Promise<void> MachineRecords::run(kj::Function<void()> call) {
  auto place = co_await turn.take();
  auto done = kj::evalNow([&]() { return storage.runApart(kj::mv(call)); }).fork();
  tasks.add(done.addBranch().attach(kj::mv(place)));
  co_await done.addBranch();
}

template <typename T>
kj::Promise<T> MachineRecords::ask(kj::Function<T()> question) {
  auto answer = kj::atomicRefcounted<Answer<T>>();
  co_await run([question = kj::mv(question), answer = kj::atomicAddRef(*answer)]() mutable {
    answer->value.emplace(question());
  });
  co_return kj::mv(KJ_ASSERT_NONNULL(answer->value));
}

kj::Promise<void> MachineRecords::save(const MachineRecord& record) {
  return run([&storage = storage, copy = record.clone()]() { storage.saveRecord(copy); });
}

kj::Promise<void> MachineRecords::remove(kj::StringPtr name) {
  return run([&storage = storage, name = kj::str(name)]() { storage.removeRecord(name); });
}

kj::Promise<bool> MachineRecords::has(kj::StringPtr name) {
  return ask<bool>(
      [&storage = storage, name = kj::str(name)]() { return storage.hasRecord(name); });
}

kj::Promise<kj::Maybe<MachineRecords::Found>> MachineRecords::find(kj::StringPtr name) {
  return ask<kj::Maybe<Found>>([&storage = storage, name = kj::str(name)]() -> kj::Maybe<Found> {
    if (!storage.hasRecord(name)) return nullptr;
    return found(storage, name);
  });
}

kj::Promise<kj::Maybe<MachineRecord>> MachineRecords::load(kj::StringPtr name) {
  return ask<kj::Maybe<MachineRecord>>(
      [&storage = storage, name = kj::str(name)]() { return storage.loadRecord(name); });
}

kj::Promise<kj::Array<MachineRecords::Found>> MachineRecords::all() {
  return ask<kj::Array<Found>>([&storage = storage]() {
    auto names = storage.listRecords();
    return KJ_MAP(name, names) {
      return found(storage, name);
    };
  });
}

}  // namespace bothy
