#pragma once

#include <kj/map.h>

#include "store/records.h"
#include "store/sqlite-database.h"
#include "store/store-limits.h"
#include "store/store.h"

namespace bothy {

// The table of events.  What changes it is within a transaction of the caller's.
class SqliteEvents final {
public:
  SqliteEvents(SqliteDatabase& database, EventLimits limits);
  KJ_DISALLOW_COPY_AND_MOVE(SqliteEvents);

  // Adds it under that number, which is above all others'.  One that is equal to it gives way (EventRecord::count), and what the limits
  // say is not kept.
  void add(const EventRecord& event, uint64_t number);

  EventPage read(uint64_t after, size_t limit);

private:
  const EventLimits limits;
  // Added since all were counted.
  uint32_t uncounted;
  // By id of a workspace: added since its own were counted.
  kj::HashMap<kj::String, uint32_t> addedOf;
  // None is older.
  int64_t oldestNanos = INT64_MIN;
  SqliteStatement latest, insert, removeOne, excess, removeOfWorkspace, excessOfGuest,
      removeOfGuest, oldest, removeOld, countAll, removeFirst, select;

  struct Equal {
    uint64_t number;
    uint32_t count;
    int64_t firstNanos;
  };
  kj::Maybe<Equal> equalTo(const EventRecord& event);
  void removeBeyondLimits(const EventRecord& newest);
  void removeExcessOfGuest(kj::StringPtr workspaceId);
  bool isToCount(kj::StringPtr workspaceId);
};

}  // namespace bothy
