#pragma once

#include <kj/async.h>

#include "loop/slots.h"
#include "vm/machine-record.h"
#include "vm/machine-storage.h"

namespace bothy {

// The driver's records, by one call after the other, in the order of asking, on a thread of the storage's: a disk that hangs holds up
// whoever waits for a record, and not the event loop.  A call that has begun comes to its end though its promise is dropped; one that
// has not begun by then never does, and leaves nothing here.
class MachineRecords final: private kj::TaskSet::ErrorHandler {
public:
  // `storage` outlives it, and it outlives the promises.
  explicit MachineRecords(MachineStorage& storage) : storage(storage), tasks(*this) {}
  KJ_DISALLOW_COPY_AND_MOVE(MachineRecords);

  // As it is now.  When this resolves, it outlives bothyd.
  kj::Promise<void> save(const MachineRecord& record);
  kj::Promise<void> remove(kj::StringPtr name);

  struct Found {
    kj::String name;
    // nullptr: it cannot be understood.
    kj::Maybe<MachineRecord> record;
  };
  // Also of one that cannot be understood.
  kj::Promise<bool> has(kj::StringPtr name);
  // nullptr: there is none.
  kj::Promise<kj::Maybe<Found>> find(kj::StringPtr name);
  // nullptr: there is none, or it cannot be understood.
  kj::Promise<kj::Maybe<MachineRecord>> load(kj::StringPtr name);
  kj::Promise<kj::Array<Found>> all();

private:
  MachineStorage& storage;
  Slots turn{1};
  kj::TaskSet tasks;

  kj::Promise<void> run(kj::Function<void()> call);
  template <typename T>
  kj::Promise<T> ask(kj::Function<T()> question);
  // Who waits for it is told.
  void taskFailed(kj::Exception&&) override {}
};

}  // namespace bothy
