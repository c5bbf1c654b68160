#pragma once

#include <kj/async.h>

#include "store/store.h"

namespace bothy {

// The store's events for whoever wants to hear of new ones without asking again and again.
class EventLog final {
public:
  explicit EventLog(Store& store);
  KJ_DISALLOW_COPY_AND_MOVE(EventLog);

  // To be called once after each transaction that added an event.  Never fails.
  void grew();

  kj::Array<EventRecord> read(uint64_t after, size_t limit) { return store.events(after, limit); }
  uint64_t first() { return store.firstEvent(); }
  // 0: there is none yet.
  uint64_t newest() const { return last; }

  // Resolves when there is an event with a number above `after`.
  kj::Promise<void> beyond(uint64_t after);

private:
  Store& store;
  uint64_t last;
  kj::Own<kj::PromiseFulfiller<void>> fulfiller;
  kj::ForkedPromise<void> growth;

  void arm();
};

}  // namespace bothy
