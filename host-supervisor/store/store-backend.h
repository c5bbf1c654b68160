#pragma once

#include <kj/timer.h>

#include "store/store.h"

namespace bothy {

// What came of a transaction.
struct GroupOutcome {
  // One a change: why it was refused, if it was.
  kj::Array<kj::Maybe<kj::Exception>> refusals;
  uint64_t lastEvent = 0;
  // The database failed at the very end: holds() says whether the others are in.
  kj::Maybe<kj::Exception> doubt;
};

// A database that blocks its caller.  Used by one thread at a time.
class StoreBackend {
public:
  // See Store.
  virtual StoredState begin() = 0;
  virtual kj::Maybe<RequestRecord> request(kj::StringPtr requestId) = 0;
  virtual kj::Maybe<kj::Array<const kj::byte>> configuration(kj::StringPtr workspaceId) = 0;
  virtual EventPage events(uint64_t after, size_t limit) = 0;

  // Stores them in one transaction, without those that it refuses.  When it throws none is stored.  `mark` names the transaction:
  // each is greater than the one before.
  virtual GroupOutcome commit(uint64_t mark, kj::ArrayPtr<const Change> changes) = 0;

  // Whether the transaction of that mark, the last one of this epoch, is in the database.  Where it is not it never will be.
  virtual bool holds(uint64_t mark) = 0;
};

// The same, of one that does not block: what a Store is made of.
class AsyncBackend {
public:
  virtual kj::Promise<StoredState> begin() = 0;
  virtual kj::Promise<kj::Maybe<RequestRecord>> request(kj::StringPtr requestId) = 0;
  virtual kj::Promise<kj::Maybe<kj::Array<const kj::byte>>> configuration(
      kj::StringPtr workspaceId) = 0;
  virtual kj::Promise<EventPage> events(uint64_t after, size_t limit) = 0;
  // Takes as long as it takes: who asks has to know.
  virtual kj::Promise<GroupOutcome> commit(uint64_t mark, kj::Array<Change> changes) = 0;
  virtual kj::Promise<bool> holds(uint64_t mark) = 0;
};

// On a thread of its own, which carries out one call after the other.
kj::Own<AsyncBackend> newThreadedBackend(kj::Timer& timer, kj::Own<StoreBackend> backend);

}  // namespace bothy
