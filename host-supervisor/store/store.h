#pragma once

#include "store/records.h"

namespace bothy {

// What must survive bothyd.  Each call is one transaction: when it returns it is on the disk, when it
// throws nothing has changed.  Every change of a workspace's state comes with its event, in the same
// transaction; events are numbered 1, 2, 3, … without a gap, and the last `keep` of them are kept.
class Store {
public:
  // All workspaces, by name.
  virtual kj::Array<WorkspaceRow> workspaces() = 0;

  // Adds a workspace whose id, name, uid and cid are new.  The event's number is filled in by the store.
  virtual void insert(const WorkspaceRow& row, const EventRecord& event,
                      kj::Maybe<const RequestRecord&> request) = 0;
  // Replaces the row of the same id, which exists.
  virtual void update(const WorkspaceRow& row, kj::Maybe<const EventRecord&> event) = 0;
  // Removes it, and its request ids.
  virtual void remove(kj::StringPtr id, const EventRecord& event) = 0;
  // An event that changes no state.
  virtual void append(const EventRecord& event) = 0;

  virtual kj::Maybe<RequestRecord> request(kj::StringPtr requestId) = 0;

  // The events above `after`, in order, at most `limit` of them.
  virtual kj::Array<EventRecord> events(uint64_t after, size_t limit) = 0;
  // Numbers of the oldest and the newest event; 0 if there is none.
  virtual uint64_t firstEvent() = 0;
  virtual uint64_t lastEvent() = 0;
};

}  // namespace bothy
