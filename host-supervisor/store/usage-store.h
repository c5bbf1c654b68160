#pragma once

#include <kj/async.h>
#include <kj/timer.h>
#include <kj/vector.h>

#include "store/usage-records.h"

namespace bothy {

// What is to be stored together, or not at all.  Stored twice it is the same as once.
struct UsageChange {
  // In the place of those of the same workspaces.
  kj::Vector<MeterRow> meters;
  // Ids of workspaces whose meters go.
  kj::Vector<kj::String> removed;
  // New ones, with numbers above all others.
  kj::Vector<UsageRecord> records;
  // The events up to this one are booked.
  uint64_t eventsThrough = 0;
  // When this was made.
  Moment at;
  // Records that end before go, some of them each time.
  int64_t keepFromMillis = INT64_MIN;
};

// What whoever goes on metering has to know.
struct StoredUsage {
  // There is nothing yet.
  bool isNew = true;
  uint64_t eventsThrough = 0;
  Moment at;
  // Of the newest record that there ever was; 0: none.
  uint64_t lastNumber = 0;
  // Those that are polled.
  kj::Array<MeterRow> polled;
};

// Which records are wanted.
struct UsageQuery {
  // Numbers above this one.
  uint64_t after = 0;
  size_t limit = SIZE_MAX;
  // An id, or a name; empty: all.
  kj::String workspace = nullptr;
  // Only what overlaps this time.
  int64_t sinceMillis = INT64_MIN;
  int64_t untilMillis = INT64_MAX;
  // Empty: all users' and nobody's.
  kj::String user = nullptr;
};

struct UsagePage {
  // By number.
  kj::Array<UsageRecord> records;
  // The number of the oldest that is kept, whatever is wanted; 0: none is.
  uint64_t first = 0;
};

// Meters and records: what bothyd has measured.  Apart from the Store: none of it is needed for a workspace to live, it grows with time, and who
// reads much of it keeps nobody from changing a workspace.  One caller at a time changes it.
class UsageStore {
public:
  // Before anything else, and again after a change that failed: what is there then.
  virtual kj::Promise<StoredUsage> begin() = 0;
  // When it fails it may be in all the same.
  virtual kj::Promise<void> commit(UsageChange change) = 0;
  // Those that there are, in no order.
  virtual kj::Promise<kj::Array<MeterRow>> meters(kj::Array<kj::String> workspaceIds) = 0;
  // By id, behind `after`; of one id or name and of one user, or of all (empty).
  virtual kj::Promise<kj::Array<MeterRow>> metersAfter(kj::StringPtr after, size_t limit,
                                                       kj::StringPtr workspace,
                                                       kj::StringPtr user) = 0;
  // Those that are due by then, the first ones first.
  virtual kj::Promise<kj::Array<MeterRow>> dueMeters(int64_t millis, size_t limit) = 0;
  virtual kj::Promise<UsagePage> records(UsageQuery query) = 0;
};

// In a file (0600; its directory is the caller's), on a thread of its own.  A file that cannot be opened is each call's fault.
kj::Own<UsageStore> openSqliteUsageStore(kj::Timer& timer, kj::StringPtr path);

}  // namespace bothy
