#include "store/usage-records.h"

namespace bothy {

void UsageSums::add(const UsageSums& other) {
  runningMillis += other.runningMillis;
  pausedMillis += other.pausedMillis;
  hibernatedMillis += other.hibernatedMillis;
  stoppedMillis += other.stoppedMillis;
  expiredMillis += other.expiredMillis;
  failedMillis += other.failedMillis;
  cpuMicros += other.cpuMicros;
  memoryMibMillis += other.memoryMibMillis;
  diskMibMillis += other.diskMibMillis;
}

int64_t UsageSums::millis() const {
  return runningMillis + pausedMillis + hibernatedMillis + stoppedMillis + expiredMillis +
         failedMillis;
}

UsageRecord UsageRecord::clone() const {
  return {number, kj::str(workspaceId), kj::str(workspace), fromMillis, untilMillis,
          sums,   kj::str(user)};
}

MeterRow MeterRow::clone() const {
  return {kj::str(workspaceId),
          kj::str(workspace),
          state,
          memoryMib,
          diskMib,
          through,
          machine,
          machineMicros,
          fromMillis,
          open,
          isSteady,
          isPolled,
          dueMillis,
          kj::str(user)};
}

}  // namespace bothy
