#include "command/summed-usage.h"

#include <stdio.h>
#include <time.h>

#include <kj/vector.h>

#include "console/quantity.h"

namespace bothy {
namespace {

constexpr int64_t HOUR_MILLIS = 3600 * 1000, DAY_MILLIS = 24 * HOUR_MILLIS;

int64_t beginOf(int64_t millis, int64_t period) {
  const int64_t into = millis % period;
  return millis - (into < 0 ? into + period : into);
}

kj::String format(int64_t millis, const char* how) {
  const time_t seconds = beginOf(millis, 1000) / 1000;
  struct tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  const auto size = strftime(text, sizeof(text), how, &parts);
  return kj::heapString(text, size);
}

// In the order of time, also before 1970.
kj::String keyOf(int64_t millis) {
  return kj::str(kj::hex(static_cast<uint64_t>(millis) + (uint64_t{1} << 63)));
}

}  // namespace

kj::Maybe<int64_t> parseTimeOfUsage(kj::StringPtr text, int64_t nowMillis) {
  for (auto how : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H", "%Y-%m-%d"}) {
    struct tm parts{};
    auto end = strptime(text.cStr(), how, &parts);
    if (end == nullptr || *end != 0) continue;
    return int64_t{timegm(&parts)} * 1000;
  }
  return parseDuration(text).map(
      [&](kj::Duration ago) { return nowMillis - ago / kj::MILLISECONDS; });
}

kj::String dayOf(int64_t millis) {
  return format(millis, "%Y-%m-%d");
}

kj::String hourOf(int64_t millis) {
  return format(millis, "%Y-%m-%d %H:%M");
}

void SummedUsage::add(rpc::UsageRecord::Reader record) {
  const int64_t from = record.getFromMillis(), until = record.getUntilMillis();
  if (by == By::WORKSPACE || until <= from) {
    add(record, from, until);
    return;
  }
  const int64_t period = by == By::DAY ? DAY_MILLIS : HOUR_MILLIS;
  // No bothyd makes one that is longer than some days.
  const int64_t begin = kj::max(from, sinceMillis), end = kj::min(until, untilMillis);
  for (int64_t at = begin; at < end;) {
    const int64_t next = kj::min(beginOf(at, period) + period, end);
    add(record, at, next);
    at = next;
  }
}

// That part of it.
void SummedUsage::add(rpc::UsageRecord::Reader record, int64_t from, int64_t until) {
  const int64_t whole = record.getUntilMillis() - record.getFromMillis();
  from = kj::max(from, sinceMillis);
  until = kj::min(until, untilMillis);
  const bool isMoment = whole <= 0;
  if (isMoment ? from > until : from >= until) return;
  auto part = [&](int64_t value) {
    if (isMoment || until - from == whole) return value;
    return static_cast<int64_t>(static_cast<long double>(value) * (until - from) / whole);
  };
  const int64_t period = by == By::DAY ? DAY_MILLIS : HOUR_MILLIS;
  auto key = by == By::WORKSPACE ? kj::str(record.getWorkspace(), "\n", record.getWorkspaceId())
                                 : keyOf(beginOf(from, period));
  auto& sum = sums.findOrCreate(key, [&]() -> kj::TreeMap<kj::String, Sum>::Entry {
    Sum fresh{nullptr, nullptr, from, until};
    if (by == By::WORKSPACE) {
      fresh.workspaceId = kj::str(record.getWorkspaceId());
      fresh.workspace = kj::str(record.getWorkspace());
    } else {
      fresh.fromMillis = beginOf(from, period);
      fresh.untilMillis = fresh.fromMillis + period;
    }
    return {kj::mv(key), kj::mv(fresh)};
  });
  sum.fromMillis = kj::min(sum.fromMillis, from);
  sum.untilMillis = kj::max(sum.untilMillis, until);
  auto usage = record.getUsage();
  sum.runningMillis += part(usage.getRunningMillis());
  sum.pausedMillis += part(usage.getPausedMillis());
  sum.hibernatedMillis += part(usage.getHibernatedMillis());
  sum.stoppedMillis += part(usage.getStoppedMillis());
  sum.expiredMillis += part(usage.getExpiredMillis());
  sum.failedMillis += part(usage.getFailedMillis());
  sum.cpuMicros += part(usage.getCpuMicros());
  sum.memoryMibMillis += part(usage.getMemoryMibMillis());
  sum.diskMibMillis += part(usage.getDiskMibMillis());
}

void SummedUsage::Sum::fill(rpc::UsageRecord::Builder told) const {
  if (workspaceId.size() > 0) {
    told.setWorkspaceId(workspaceId);
    told.setWorkspace(workspace);
  }
  told.setFromMillis(fromMillis);
  told.setUntilMillis(untilMillis);
  auto usage = told.initUsage();
  usage.setRunningMillis(runningMillis);
  usage.setPausedMillis(pausedMillis);
  usage.setHibernatedMillis(hibernatedMillis);
  usage.setStoppedMillis(stoppedMillis);
  usage.setExpiredMillis(expiredMillis);
  usage.setFailedMillis(failedMillis);
  usage.setCpuMicros(cpuMicros);
  usage.setMemoryMibMillis(memoryMibMillis);
  usage.setDiskMibMillis(diskMibMillis);
}

kj::Array<const SummedUsage::Sum*> SummedUsage::all() const {
  kj::Vector<const Sum*> found(sums.size());
  for (auto& entry : sums) found.add(&entry.value);
  return found.releaseAsArray();
}

}  // namespace bothy
