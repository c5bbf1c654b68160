#include "metering/meter.h"

namespace bothy {
namespace {

constexpr int64_t HOUR_MILLIS = 3600 * 1000, DAY_MILLIS = 24 * HOUR_MILLIS;
constexpr int64_t MOST_GAP_MILLIS = USAGE_RETENTION / kj::MILLISECONDS;

int64_t beginOf(int64_t millis, int64_t period) {
  const int64_t into = millis % period;
  return millis - (into < 0 ? into + period : into);
}

// By WorkspaceState.  Of a workspace that starts the time counts from its agent's answer on, and nothing of what it waits; the processor time of
// its boot counts.
constexpr MeteredState STATES[] = {
    {&UsageSums::stoppedMillis},                       // creating
    {&UsageSums::stoppedMillis},                       // stopped
    {&UsageSums::stoppedMillis},                       // starting
    {&UsageSums::runningMillis, true, true},           // running
    {&UsageSums::runningMillis, true, true},           // stopping
    {&UsageSums::stoppedMillis},                       // deleting
    {&UsageSums::failedMillis},                        // failed
    {&UsageSums::stoppedMillis},                       // resizing
    {&UsageSums::pausedMillis, true, false},           // paused
    {&UsageSums::runningMillis, true, true},           // pausing
    {&UsageSums::pausedMillis, true, false},           // resuming
    {&UsageSums::expiredMillis, false, false, false},  // expired
    {&UsageSums::stoppedMillis},                       // expiring
    {&UsageSums::hibernatedMillis},                    // hibernated
    {&UsageSums::runningMillis, true, true},           // hibernating
};
static_assert(kj::size(STATES) == static_cast<size_t>(LAST_STATE) + 1,
              "each state is metered as something");

}  // namespace

MeteredState meteredAs(WorkspaceState state) {
  return STATES[static_cast<size_t>(state)];
}

UsageSums sumsOf(const MeterRow& row, int64_t millis) {
  const auto as = meteredAs(row.state);
  UsageSums sums;
  sums.*as.millis = millis;
  if (as.hasMemory) sums.memoryMibMillis = int64_t{row.memoryMib} * millis;
  if (as.hasDisk) sums.diskMibMillis = int64_t{row.diskMib} * millis;
  return sums;
}

MeterRow Meter::rowOf(kj::StringPtr id, kj::StringPtr name, WorkspaceState state,
                      const Moment& from) {
  MeterRow row;
  row.workspaceId = kj::str(id);
  row.workspace = kj::str(name);
  row.state = state;
  row.isPolled = meteredAs(state).isPolled;
  row.through = from;
  row.fromMillis = from.wallMillis;
  kj::Vector<UsageRecord> none;
  Meter(row, none).reckonDue();
  return row;
}

void Meter::pass(const Moment& until) {
  const int64_t millis = millisBetween(row.through, until, MOST_GAP_MILLIS);
  // Where the host's clock was set, what comes now is called by the new time.
  int64_t at = until.wallMillis - millis;
  for (int64_t left = millis; left > 0;) {
    openAt(at);
    const int64_t period = row.isSteady ? DAY_MILLIS : HOUR_MILLIS;
    const int64_t part = kj::min(beginOf(at, period) + period - at, left);
    row.open.add(sumsOf(row, part));
    at += part;
    left -= part;
    row.through.wallMillis = at;
    if (beginOf(at, period) == at) close(at);
  }
  // One that lies before what is booked already moves nothing.
  if (millis > 0 || row.through.boot != until.boot) row.through = until;
  reckonDue();
}

// What is booked next, from `millis` on, is of one record with what is open, or that is closed.
void Meter::openAt(int64_t millis) {
  const bool isStill = !row.isPolled;
  if (isOpen()) {
    const bool isSameHour = beginOf(millis, HOUR_MILLIS) == beginOf(row.fromMillis, HOUR_MILLIS);
    const bool isSameDay = beginOf(millis, DAY_MILLIS) == beginOf(row.fromMillis, DAY_MILLIS);
    const bool isOn = millis >= row.fromMillis;
    if (isOn && (isSameHour || (row.isSteady && isStill && isSameDay))) {
      row.isSteady = row.isSteady && isStill;
      return;
    }
    close(kj::max(row.fromMillis, row.through.wallMillis));
  }
  row.fromMillis = millis;
  row.isSteady = isStill;
}

void Meter::become(WorkspaceState state) {
  const auto before = meteredAs(row.state), after = meteredAs(state);
  if (before.millis != after.millis || before.hasMemory != after.hasMemory) row.isSteady = false;
  row.state = state;
  row.isPolled = after.isPolled;
  reckonDue();
}

void Meter::become(uint32_t memoryMib, uint32_t diskMib) {
  if (memoryMib != row.memoryMib || diskMib != row.diskMib) row.isSteady = false;
  row.memoryMib = memoryMib;
  row.diskMib = diskMib;
}

void Meter::consume(uint64_t qemu, int64_t cpuMicros) {
  // Another QEMU has counted from 0 on.
  const bool isSame = qemu == row.machine && cpuMicros >= row.machineMicros;
  const int64_t taken = isSame ? cpuMicros - row.machineMicros : cpuMicros;
  row.machine = qemu;
  row.machineMicros = cpuMicros;
  if (taken == 0) return;
  const int64_t at = row.through.wallMillis;
  const bool isSameHour = beginOf(at, HOUR_MILLIS) == beginOf(row.fromMillis, HOUR_MILLIS);
  if (!isOpen() || !isSameHour) {
    close(at);
    row.fromMillis = at;
  }
  row.isSteady = false;
  row.open.cpuMicros += taken;
  reckonDue();
}

void Meter::close() {
  close(row.through.wallMillis);
}

void Meter::close(int64_t untilMillis) {
  if (!isOpen()) return;
  UsageRecord record;
  record.workspaceId = kj::str(row.workspaceId);
  record.workspace = kj::str(row.workspace);
  record.fromMillis = row.fromMillis;
  record.untilMillis = kj::max(untilMillis, row.fromMillis);
  record.sums = row.open;
  record.user = kj::str(row.user);
  closed.add(kj::mv(record));
  row.open = UsageSums();
  row.fromMillis = untilMillis;
  row.isSteady = false;
}

void Meter::reckonDue() {
  if (row.isPolled) {
    row.dueMillis = INT64_MAX;
    return;
  }
  const bool isHourly = isOpen() && !row.isSteady;
  const int64_t period = isHourly ? HOUR_MILLIS : DAY_MILLIS;
  const int64_t from = isOpen() ? row.fromMillis : row.through.wallMillis;
  row.dueMillis = beginOf(from, period) + period;
}

}  // namespace bothy
