#pragma once

#include <kj/common.h>

#include "store/usage-records.h"

namespace bothy {

// What a workspace is in a state, as this world says and no table of the product's.
struct StateTruth {
  int64_t UsageSums::* millis;
  bool hasMemory = false;
  bool computes = false;

  static StateTruth of(WorkspaceState state) {
    switch (state) {
      case WorkspaceState::RUNNING:
      case WorkspaceState::STOPPING:
      case WorkspaceState::PAUSING:
      case WorkspaceState::HIBERNATING:
        return {&UsageSums::runningMillis, true, true};
      case WorkspaceState::PAUSED:
      case WorkspaceState::RESUMING:
        return {&UsageSums::pausedMillis, true};
      case WorkspaceState::FAILED:
        return {&UsageSums::failedMillis};
      case WorkspaceState::HIBERNATED:
        return {&UsageSums::hibernatedMillis};
      default:
        return {&UsageSums::stoppedMillis};
    }
  }
};

// What was of a workspace, as nobody but the world knows it.
struct MeteredTruth {
  UsageSums sums;
  int64_t beganMillis = 0;
  int64_t endedMillis = -1;
  // That may be missing, as a machine ended with bothyd, or between two looks.
  int64_t lostMillis = 0;
  int64_t lostCpuMicros = 0;
  // There was a look while it was there.
  bool wasSeen = false;
  // Of its figures.
  int64_t changes = 0;
  // When its machine ended while no bothyd ran.
  kj::Maybe<int64_t> unseenSince;

  void pass(WorkspaceState state, uint32_t memoryMib, uint32_t diskMib, int64_t millis) {
    const auto is = StateTruth::of(state);
    sums.*is.millis += millis;
    if (is.hasMemory) sums.memoryMibMillis += int64_t{memoryMib} * millis;
    sums.diskMibMillis += int64_t{diskMib} * millis;
  }
};

}  // namespace bothy
