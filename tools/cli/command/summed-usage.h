#pragma once

#include <kj/map.h>
#include <kj/string.h>

#include "schema/metering.capnp.h"

namespace bothy {

// A point of time as a user says it: "2026-11-30" or "2026-11-30T14:00", in UTC as all of usage is, or how long ago: "36h", "7d".  In
// milliseconds since 1970; nullptr if it is none.
kj::Maybe<int64_t> parseTimeOfUsage(kj::StringPtr text, int64_t nowMillis);

// "2026-11-30", "2026-11-30 14:00": in UTC.
kj::String dayOf(int64_t millis);
kj::String hourOf(int64_t millis);

// Sums of records by workspace, or by time.
class SummedUsage final {
public:
  enum class By { WORKSPACE, DAY, HOUR };
  // Only what is between these times counts.
  SummedUsage(By by, int64_t sinceMillis, int64_t untilMillis)
      : by(by), sinceMillis(sinceMillis), untilMillis(untilMillis) {}

  // What of a record is outside of the time, or in another day or hour, is taken by its length: a record that is longer than an hour has
  // one state.
  void add(rpc::UsageRecord::Reader record);

  struct Sum {
    kj::String workspaceId;
    kj::String workspace;
    int64_t fromMillis;
    int64_t untilMillis;
    int64_t runningMillis = 0;
    int64_t pausedMillis = 0;
    int64_t hibernatedMillis = 0;
    int64_t stoppedMillis = 0;
    int64_t expiredMillis = 0;
    int64_t failedMillis = 0;
    int64_t cpuMicros = 0;
    int64_t memoryMibMillis = 0;
    int64_t diskMibMillis = 0;

    int64_t restMillis() const {
      return hibernatedMillis + stoppedMillis + expiredMillis + failedMillis;
    }
    void fill(rpc::UsageRecord::Builder told) const;
  };
  // By name and id, or by time.
  kj::Array<const Sum*> all() const;

private:
  const By by;
  const int64_t sinceMillis;
  const int64_t untilMillis;
  kj::TreeMap<kj::String, Sum> sums;

  void add(rpc::UsageRecord::Reader record, int64_t from, int64_t until);
};

}  // namespace bothy
