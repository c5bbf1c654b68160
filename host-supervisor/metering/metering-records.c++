#include "metering/metering.h"

namespace bothy {

// False: there may be more that is due.
kj::Promise<bool> Metering::closeDue() {
  const auto now = host.now();
  auto rows = co_await store.dueMeters(now.wallMillis, METERS_CLOSED_AT_ONCE);
  if (rows.size() == 0) co_return true;
  const bool isAll = rows.size() < METERS_CLOSED_AT_ONCE;
  Booking booking;
  booking.change.eventsThrough = eventsThrough;
  booking.change.at = now;
  for (auto& row : rows) {
    Meter meter(row, booking.change.records);
    pass(row, meter, now);
    booking.meters.insert(kj::str(row.workspaceId), kj::mv(row));
  }
  co_await commit(kj::mv(booking));
  co_return isAll;
}

kj::Promise<Metering::Page> Metering::records(UsageQuery query) {
  const size_t limit = query.limit;
  auto copyOf = [&]() {
    return UsageQuery{query.after,       query.limit,       kj::str(query.workspace),
                      query.sinceMillis, query.untilMillis, kj::str(query.user)};
  };
  Page page;
  static_cast<UsagePage&>(page) = co_await store.records(copyOf());
  page.mayGoOn = page.records.size() >= limit;
  if (page.mayGoOn) co_return kj::mv(page);
  bool isAll;
  {
    auto slot = co_await turn.take();
    co_await bookUnlessFresh();
    isAll = co_await closeDue();
  }
  static_cast<UsagePage&>(page) = co_await store.records(copyOf());
  page.mayGoOn = page.records.size() >= limit || !isAll;
  co_return kj::mv(page);
}

kj::Promise<Metering::Open> Metering::open(kj::String after, size_t limit, kj::String workspace,
                                           kj::String user) {
  auto slot = co_await turn.take();
  co_await bookUnlessFresh();
  auto rows = co_await store.metersAfter(after, limit, workspace, user);
  Open result;
  result.through = lastNumber;
  if (rows.size() >= limit) result.next = kj::str(rows.back().workspaceId);
  const auto now = host.now();
  kj::Vector<UsageRecord> records(rows.size());
  for (auto& row : rows) {
    Meter meter(row, records);
    // One that runs was looked at just now, or could not be seen.
    const auto since = (now.bootMillis - row.through.bootMillis) * kj::MILLISECONDS;
    const bool isSeen = row.through.boot == now.boot && since < METERING_INTERVAL;
    if (!row.isPolled || isSeen) pass(row, meter, now);
    meter.close();
  }
  result.records = records.releaseAsArray();
  co_return kj::mv(result);
}

}  // namespace bothy
