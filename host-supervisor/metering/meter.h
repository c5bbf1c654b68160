#pragma once

#include <kj/vector.h>

#include "metering/host-moments.h"

namespace bothy {

// What is kept of a workspace's past in records, and so the most that one gap between two boots of the host may count.
constexpr kj::Duration USAGE_RETENTION = 90 * kj::DAYS;

// What a workspace in a state is metered as.
struct MeteredState {
  int64_t UsageSums::* millis;
  // Its machine has its memory.
  bool hasMemory = false;
  // Its machine takes processor time: it is looked at again and again.
  bool isPolled = false;
  bool hasDisk = true;
};
MeteredState meteredAs(WorkspaceState state);

// One workspace's meter.  What it books is in records: of what takes processor time none is longer than an hour of UTC, of what
// stands still none longer than a day, so that a workspace that rests costs a row a day, and only when somebody looks.
class Meter final {
public:
  // `closed` receives records, without numbers.  Both outlive it.
  Meter(MeterRow& row, kj::Vector<UsageRecord>& closed) : row(row), closed(closed) {}

  // All from where the row is booked to until then was as the row says.
  void pass(const Moment& until);
  // It is another from where it is booked on.
  void become(WorkspaceState state);
  void become(uint32_t memoryMib, uint32_t diskMib);
  // `qemu` has taken so much since it began, until where it is booked.
  void consume(uint64_t qemu, int64_t cpuMicros);
  // Nothing of it is left open.
  void close();

  static MeterRow rowOf(kj::StringPtr id, kj::StringPtr name, WorkspaceState state,
                        const Moment& from);

private:
  MeterRow& row;
  kj::Vector<UsageRecord>& closed;

  bool isOpen() const { return !(row.open == UsageSums()); }
  void close(int64_t untilMillis);
  void openAt(int64_t millis);
  void reckonDue();
};

// So that what stands still and what does not is told apart in one sum.
UsageSums sumsOf(const MeterRow& row, int64_t millis);

}  // namespace bothy
