#pragma once

#include "store/records.h"

namespace bothy {

// A moment as a host knows it, in whole milliseconds.
struct Moment {
  // Names the boot of the host.
  int64_t boot = 0;
  // Since that boot, by a clock that nobody sets, and that goes on while the host sleeps.
  int64_t bootMillis = 0;
  // Since 1970, as the host's clock has it: what a time is called, not how long it took.
  int64_t wallMillis = 0;
};

// What a workspace has had and taken.
struct UsageSums {
  // How long it was so.
  int64_t runningMillis = 0;
  int64_t pausedMillis = 0;
  int64_t hibernatedMillis = 0;
  int64_t stoppedMillis = 0;
  int64_t expiredMillis = 0;
  int64_t failedMillis = 0;
  // Of the host's processors.
  int64_t cpuMicros = 0;
  // MiB times milliseconds.
  int64_t memoryMibMillis = 0;
  int64_t diskMibMillis = 0;

  bool operator==(const UsageSums& other) const = default;
  void add(const UsageSums& other);
  // In all states.
  int64_t millis() const;
};

// What one workspace has had and taken from one time to another: closed, it never changes.
struct UsageRecord {
  // Rises, and is never given twice.
  uint64_t number = 0;
  kj::String workspaceId;
  // Its name, which another may have had before or since.
  kj::String workspace;
  int64_t fromMillis = 0;
  int64_t untilMillis = 0;
  UsageSums sums;
  // Whose it is; empty: nobody's.
  kj::String user = nullptr;

  UsageRecord clone() const;
};

// One workspace's meter: what is booked, and from where on it is not.
struct MeterRow {
  kj::String workspaceId;
  kj::String workspace;
  WorkspaceState state = WorkspaceState::CREATING;
  uint32_t memoryMib = 0;
  uint32_t diskMib = 0;
  // All up to then is booked.
  Moment through;
  // Which QEMU was looked at last (VmConsumption), and what it had taken; 0: none.
  uint64_t machine = 0;
  int64_t machineMicros = 0;
  // What is booked and in no record yet, from then on; `open` of nothing: nothing.
  int64_t fromMillis = 0;
  UsageSums open;
  // All of it is the same: one state, with the same memory and disk, and no processor time.
  bool isSteady = false;
  // It takes processor time, so it is looked at again and again.
  bool isPolled = false;
  // When something of it is to be closed, though nobody looks; of one that is polled INT64_MAX.
  int64_t dueMillis = 0;
  // Whose it is; empty: nobody's, or it was gone before anybody looked.
  kj::String user = nullptr;

  MeterRow clone() const;
};

}  // namespace bothy
