#include "support/fake-usage-store.h"

#include <kj/debug.h>
#include <kj/vector.h>

#include <algorithm>

namespace bothy {

template <typename Test>
kj::Array<MeterRow> FakeUsageStore::rowsThat(size_t limit, Test&& test) const {
  kj::Vector<MeterRow> found;
  for (auto& entry : rows) {
    if (found.size() == limit) break;
    if (test(entry.value)) found.add(entry.value.clone());
  }
  return found.releaseAsArray();
}

kj::Promise<StoredUsage> FakeUsageStore::begin() {
  StoredUsage stored;
  stored.isNew = writer.isNew;
  stored.eventsThrough = writer.eventsThrough;
  stored.at = writer.at;
  stored.lastNumber = writer.lastNumber;
  stored.polled = rowsThat(SIZE_MAX, [](const MeterRow& row) { return row.isPolled; });
  return kj::mv(stored);
}

kj::Promise<void> FakeUsageStore::commit(UsageChange change) {
  if (changesToFail > 0) {
    --changesToFail;
    if (failedAreIn) apply(change);
    return KJ_EXCEPTION(FAILED, "the database of usage does not obey");
  }
  apply(change);
  return kj::READY_NOW;
}

void FakeUsageStore::apply(const UsageChange& change) {
  ++commits;
  rowsWritten += change.meters.size();
  for (auto& row : change.meters) {
    rows.upsert(kj::str(row.workspaceId), row.clone(),
                [](MeterRow& there, MeterRow&& next) { there = kj::mv(next); });
  }
  for (auto& id : change.removed) rows.erase(id);
  for (auto& record : change.records) {
    closed.upsert(record.number, record.clone(),
                  [](UsageRecord& there, UsageRecord&& next) { there = kj::mv(next); });
    writer.lastNumber = kj::max(writer.lastNumber, record.number);
  }
  while (closed.size() > 0 && closed.begin()->value.untilMillis < change.keepFromMillis) {
    closed.erase(closed.begin()->key);
  }
  writer.isNew = false;
  writer.eventsThrough = change.eventsThrough;
  writer.at = change.at;
}

kj::Promise<kj::Array<MeterRow>> FakeUsageStore::meters(kj::Array<kj::String> workspaceIds) {
  kj::Vector<MeterRow> found;
  for (auto& id : workspaceIds) {
    KJ_IF_MAYBE (row, rows.find(id)) found.add(row->clone());
  }
  return found.releaseAsArray();
}

kj::Promise<kj::Array<MeterRow>> FakeUsageStore::metersAfter(kj::StringPtr after, size_t limit,
                                                             kj::StringPtr workspace,
                                                             kj::StringPtr user) {
  return rowsThat(limit, [&](const MeterRow& row) {
    const bool isMeant =
        workspace.size() == 0 || row.workspaceId == workspace || row.workspace == workspace;
    return isMeant && (user.size() == 0 || row.user == user) && row.workspaceId > after;
  });
}

kj::Promise<kj::Array<MeterRow>> FakeUsageStore::dueMeters(int64_t millis, size_t limit) {
  auto all = rowsThat(
      SIZE_MAX, [&](const MeterRow& row) { return !row.isPolled && row.dueMillis <= millis; });
  std::sort(all.begin(), all.end(),
            [](const MeterRow& a, const MeterRow& b) { return a.dueMillis < b.dueMillis; });
  kj::Vector<MeterRow> found;
  for (auto& row : all) {
    if (found.size() < limit) found.add(kj::mv(row));
  }
  return found.releaseAsArray();
}

kj::Promise<UsagePage> FakeUsageStore::records(UsageQuery query) {
  UsagePage page;
  kj::Vector<UsageRecord> found;
  for (auto& entry : closed) {
    auto& record = entry.value;
    if (page.first == 0) page.first = record.number;
    const bool isMeant = query.workspace.size() == 0 || record.workspaceId == query.workspace ||
                         record.workspace == query.workspace;
    const bool isOfUser = query.user.size() == 0 || record.user == query.user;
    const bool isThen =
        record.untilMillis > query.sinceMillis && record.fromMillis < query.untilMillis;
    if (found.size() == query.limit) break;
    if (isMeant && isOfUser && isThen && record.number > query.after) found.add(record.clone());
  }
  page.records = found.releaseAsArray();
  return kj::mv(page);
}

}  // namespace bothy
