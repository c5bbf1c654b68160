#pragma once

#include <kj/async.h>

#include "store/store.h"

namespace bothy {

// The store's events for whoever wants to hear of new ones without asking again and again.
class EventLog final {
public:
  explicit EventLog(Store& store);
  KJ_DISALLOW_COPY_AND_MOVE(EventLog);

  // To be called with what each commit tells, and at first with what was found in the store.  Never fails.
  void reached(uint64_t lastEvent);

  kj::Promise<EventPage> read(uint64_t after, size_t limit) { return store.events(after, limit); }
  // The number of the oldest one that is kept; 0: there is none.
  kj::Promise<uint64_t> first();
  // 0: there is none yet.
  uint64_t newest() const { return last; }

  // Resolves when there is an event with a number above `after`.
  kj::Promise<void> beyond(uint64_t after);

private:
  Store& store;
  uint64_t last = 0;
  kj::Own<kj::PromiseFulfiller<void>> fulfiller;
  kj::ForkedPromise<void> growth;

  void arm();
};

}  // namespace bothy
