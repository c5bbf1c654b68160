#pragma once

#include <kj/debug.h>
#include <kj/map.h>
#include <kj/vector.h>

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

// What machines took that have ended, as long as no look may have booked it.
class UnbookedEnds final {
public:
  void add(kj::StringPtr id, int64_t micros, int64_t atMillis) {
    ends.add(End{kj::str(id), micros, atMillis});
  }
  void forgetBefore(int64_t millis) {
    kj::Vector<End> left;
    for (auto& end : ends) {
      if (end.atMillis >= millis) left.add(kj::mv(end));
    }
    ends = kj::mv(left);
  }
  // bothyd was killed.
  void lose(kj::TreeMap<kj::String, MeteredTruth>& truths) {
    for (auto& end : ends) KJ_ASSERT_NONNULL(truths.find(end.id)).lostCpuMicros += end.micros;
    ends.clear();
  }

private:
  struct End {
    kj::String id;
    int64_t micros;
    int64_t atMillis;
  };
  kj::Vector<End> ends;
};

}  // namespace bothy
