#pragma once

#include <kj/async.h>

#include "store/change.h"

namespace bothy {

// All that a bothyd that starts has to know, as it was at one moment.
struct StoredState {
  // By name.
  kj::Array<WorkspaceRow> workspaces;
  // Leases, those that rest too, in no order.  Of a workspace whose lease cannot be read whole there is what can be read: a uid, with
  // cid 0; or nothing.
  kj::Array<MachineRow> machines;
  kj::Array<OperationRow> operations;
  // In no order.  One that cannot be read whole is told as revoked, with a token of nobody's.
  kj::Array<SessionRow> sessions;
  // In no order.
  kj::Array<ActivityRow> activities;
  kj::Array<WakeLockRow> wakeLocks;
  // The number of the newest event that there ever was; 0: nothing has ever happened.
  uint64_t lastEvent = 0;
  // Of the caller, from now on.
  uint64_t epoch = 0;
};

struct Committed {
  // The number of the newest event; the change's own are not above it.
  uint64_t lastEvent = 0;
};

struct EventPage {
  // In order.
  kj::Array<EventRecord> events;
  // Where to go on: there is no other event up to this number.
  uint64_t through = 0;
};

// What must survive bothyd, or the host.  Numbers of events rise, and are never given twice, also where events are not kept.
class Store {
public:
  // Once, before anything else (again if it fails): takes a new epoch, so that whoever had the store before cannot write any more,
  // and reads what is there.  A workspace whose rows cannot be used is `damaged`, and hinders no other.
  virtual kj::Promise<StoredState> begin() = 0;

  // Stores it: when the promise resolves it is there after a power cut; when it fails nothing of it is, and nothing will be;
  // only of one that was fenced while it was in doubt that is not known.
  // Changes are stored in the order of the calls, and one that is refused hinders no other.  Dropping the promise does not take the
  // change back.  Once a newer epoch was taken it fails with a fault for which isFenced() holds.
  virtual kj::Promise<Committed> commit(Change change) = 0;

  virtual kj::Promise<kj::Maybe<RequestRecord>> request(kj::StringPtr requestId) = 0;

  // What the ConfigurationRow of a workspace has; none: there is none.
  virtual kj::Promise<kj::Maybe<kj::Array<const kj::byte>>> configuration(
      kj::StringPtr workspaceId) = 0;

  // The events above `after`, at most `limit` of them.
  virtual kj::Promise<EventPage> events(uint64_t after, size_t limit) = 0;

  // Fails, with the reason, once a commit was refused because of a newer epoch: this process has no business here any more.
  virtual kj::Promise<void> untilFenced() = 0;
};

// The fault of a commit after `newer` was taken.
kj::Exception fencedBy(uint64_t newer, uint64_t own);
bool isFenced(const kj::Exception& fault);

// The fault of a change whose rows do not fit those that are there: a store that is asked again refuses it again.
kj::Exception rowRefused(kj::StringPtr why);
bool isRowRefused(const kj::Exception& fault);

}  // namespace bothy
