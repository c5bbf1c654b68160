#include "metering/metering.h"

#include <kj/debug.h>

namespace bothy {
namespace {

// Of events that are read and booked at a time.
constexpr size_t EVENTS_AT_ONCE = 256;
// Of those that one transaction books.
constexpr size_t EVENTS_OF_ONE = 4096;
// Remembered while the database refuses and something happens.
constexpr size_t MOST_LOOKS = 4096;
// Somebody has set the host's clock, if it went off by more between two looks.
constexpr int64_t SET_CLOCK_MILLIS = 1000;
// What happened by the clock that was set so long ago at most did.
constexpr kj::Duration LATELY = 1 * kj::MINUTES;
// So long what is booked is new enough for who asks, if nothing has happened.
constexpr kj::Duration FRESH = 500 * kj::MILLISECONDS;
constexpr kj::Duration LOG_PERIOD = 1 * kj::MINUTES;
constexpr int64_t RETENTION_MILLIS = USAGE_RETENTION / kj::MILLISECONDS;

}  // namespace

Metering::Metering(UsageStore& store, EventLog& events, MeteredHost& host, kj::Timer& timer)
    : store(store), events(events), host(host), timer(timer), failures(timer, LOG_PERIOD) {}

kj::Promise<void> Metering::run() {
  for (;;) {
    kj::Maybe<kj::Exception> failure;
    const auto before = eventsThrough;
    try {
      co_await book();
    } catch (...) {
      failure = kj::getCaughtExceptionAsKj();
    }
    KJ_IF_MAYBE (e, failure) {
      KJ_IF_MAYBE (leftOut, failures.next()) {
        KJ_LOG(ERROR, "what workspaces take cannot be booked; trying again", e->getDescription(),
               *leftOut);
      }
    }
    // More has happened than is booked at once.
    if (isKnown && eventsThrough > before && eventsThrough < events.newest()) continue;
    co_await timer.afterDelay(METERING_INTERVAL);
  }
}

kj::Promise<void> Metering::book() {
  auto slot = co_await turn.take();
  co_await bookAlone();
}

kj::Promise<void> Metering::bookAlone() {
  co_await know();
  booked = timer.now();
  Booking booking;
  co_await follow(booking);
  co_await poll(booking);
  // Also where nothing has happened: when bothyd looked last is known then.
  co_await commit(kj::mv(booking));
}

// What somebody asks for is not booked anew for each page of it.
kj::Promise<void> Metering::bookUnlessFresh() {
  const bool isFresh = isKnown && events.newest() == eventsThrough && booked != nullptr &&
                       timer.now() - KJ_ASSERT_NONNULL(booked) < FRESH;
  if (!isFresh) co_await bookAlone();
}

kj::Promise<void> Metering::know() {
  if (isKnown) co_return;
  auto stored = co_await store.begin();
  polled.clear();
  for (auto& row : stored.polled) polled.insert(kj::str(row.workspaceId), kj::mv(row));
  eventsThrough = stored.eventsThrough;
  lastNumber = stored.lastNumber;
  last = stored.at;
  const bool hasAll = !stored.isNew && eventsThrough <= events.newest() &&
                      co_await events.first() <= eventsThrough + 1;
  // The first of all, or the events between are not kept any more.
  if (!hasAll && (stored.isNew || events.newest() != eventsThrough)) co_await enterAll();
  isKnown = true;
}

// All workspaces as they are now; what they were before was not seen.
kj::Promise<void> Metering::enterAll() {
  const auto through = events.newest();
  const auto now = host.now();
  for (kj::String after;;) {
    auto page = host.page(after);
    if (page.size() == 0) break;
    after = kj::str(page.back().name);
    auto ids = KJ_MAP(workspace, page) {
      return kj::str(workspace.id);
    };
    auto found = co_await store.meters(kj::mv(ids));
    Booking booking;
    booking.change.eventsThrough = eventsThrough;
    for (auto& row : found) booking.meters.insert(kj::str(row.workspaceId), kj::mv(row));
    for (auto& workspace : page) {
      auto& row = booking.meters.findOrCreate(
          workspace.id, [&]() -> kj::HashMap<kj::String, MeterRow>::Entry {
            return {kj::str(workspace.id),
                    Meter::rowOf(workspace.id, workspace.name, workspace.state, now)};
          });
      Meter meter(row, booking.change.records);
      meter.pass(now);
      meter.become(workspace.state);
      meter.become(workspace.memoryMib, workspace.diskMib);
      row.user = kj::str(workspace.user);
    }
    co_await commit(kj::mv(booking));
  }
  co_await leaveStrangers(now);
  Booking booking;
  booking.change.eventsThrough = through;
  co_await commit(kj::mv(booking));
}

// Meters of workspaces that are gone, of which no event tells any more.
kj::Promise<void> Metering::leaveStrangers(const Moment& now) {
  for (kj::String after;;) {
    auto rows = co_await store.metersAfter(after, METERS_CLOSED_AT_ONCE, nullptr, nullptr);
    if (rows.size() == 0) break;
    after = kj::str(rows.back().workspaceId);
    Booking booking;
    booking.change.eventsThrough = eventsThrough;
    for (auto& row : rows) {
      if (host.find(row.workspaceId) != nullptr) continue;
      Meter meter(row, booking.change.records);
      meter.pass(now);
      meter.close();
      booking.gone.insert(kj::mv(row.workspaceId));
    }
    if (booking.gone.size() > 0) co_await commit(kj::mv(booking));
  }
}

// What has happened since.
kj::Promise<void> Metering::follow(Booking& booking) {
  uint64_t through = eventsThrough;
  for (size_t count = 0; through < events.newest() && count < EVENTS_OF_ONE;) {
    auto page = co_await events.read(through, EVENTS_AT_ONCE);
    if (page->through <= through) break;
    through = page->through;
    count += page->events.size();
    co_await load(booking, page->events);
    const auto now = host.now();
    for (auto& event : page->events) follow(booking, event, now);
  }
  booking.change.eventsThrough = through;
  booking.change.at = host.now();
  noteLook(booking.change.at, through);
}

// The meters of which these tell.
kj::Promise<void> Metering::load(Booking& booking, kj::ArrayPtr<const EventRecord> page) {
  kj::HashSet<kj::StringPtr> wanted;
  for (auto& event : page) {
    kj::StringPtr id = event.workspaceId;
    if (booking.meters.find(id) != nullptr || booking.gone.contains(id)) continue;
    KJ_IF_MAYBE (row, polled.find(id)) {
      booking.meters.insert(kj::str(id), row->clone());
    } else {
      wanted.upsert(id, [](kj::StringPtr&, kj::StringPtr&&) {});
    }
  }
  if (wanted.size() == 0) co_return;
  kj::Vector<kj::String> ids(wanted.size());
  for (auto id : wanted) ids.add(kj::str(id));
  auto rows = co_await store.meters(ids.releaseAsArray());
  for (auto& row : rows) booking.meters.insert(kj::str(row.workspaceId), kj::mv(row));
}

void Metering::follow(Booking& booking, const EventRecord& event, const Moment& now) {
  kj::StringPtr id = event.workspaceId;
  if (booking.gone.contains(id)) return;
  auto& row = booking.meters.findOrCreate(id, [&]() -> kj::HashMap<kj::String, MeterRow>::Entry {
    auto empty = Meter::rowOf(id, event.workspace, event.before, now);
    empty.through = momentOf(event, now);
    return {kj::str(id), kj::mv(empty)};
  });
  Meter meter(row, booking.change.records);
  if (event.cause == Cause::RECOVERED) {
    // Nobody saw when its machine ended: what was after the last look counts as what was found.
    if (last.boot == row.through.boot) meter.pass(last);
    meter.become(event.after);
  }
  meter.pass(momentOf(event, now));
  if (event.gone) {
    meter.close();
    booking.meters.erase(id);
    booking.gone.insert(kj::str(id));
    return;
  }
  meter.become(event.after);
  KJ_IF_MAYBE (workspace, host.find(id)) {
    meter.become(workspace->memoryMib, workspace->diskMib);
    row.user = kj::mv(workspace->user);
  }
}

// When it happened, by its time on the host's clock.  Where that was set since the last look and the time cannot be right, at that look.
Moment Metering::momentOf(const EventRecord& event, const Moment& now) const {
  const int64_t millis = event.timeNanos / 1'000'000;
  int64_t ago = now.wallMillis - millis;
  const auto& then = lookBefore(event);
  if (wasSet(then, now)) {
    const int64_t since = now.bootMillis - then.bootMillis;
    if (ago < 0 || ago > kj::min(since, LATELY / kj::MILLISECONDS)) ago = since;
  }
  ago = kj::max(ago, 0);
  if (ago > now.bootMillis && last.boot != now.boot) {
    // Before the host was booted.
    return {last.boot, last.bootMillis + kj::max(millis - last.wallMillis, 0), millis};
  }
  ago = kj::min(ago, now.bootMillis);
  return {now.boot, now.bootMillis - ago, now.wallMillis - ago};
}

// In this life, since what was booked was stored.
void Metering::noteLook(const Moment& at, uint64_t through) {
  // Where there is more there was no whole look.
  if (through < events.newest()) return;
  if (looks.size() > 0 && looks.back().eventsThrough == through) {
    looks.back().at = at;
  } else if (looks.size() < MOST_LOOKS) {
    looks.add(Look{at, through});
  }
}

// The last one at which it had not happened yet.
const Moment& Metering::lookBefore(const EventRecord& event) const {
  for (size_t i = looks.size(); i-- > 0;) {
    if (looks[i].eventsThrough < event.number) return looks[i].at;
  }
  return last;
}

bool Metering::wasSet(const Moment& then, const Moment& now) {
  if (then.boot != now.boot) return false;
  const int64_t off = (now.wallMillis - then.wallMillis) - (now.bootMillis - then.bootMillis);
  return off > SET_CLOCK_MILLIS || off < -SET_CLOCK_MILLIS;
}

// What runs, and what its machines have taken: also of those that were just paused, which take no more.
kj::Promise<void> Metering::poll(Booking& booking) {
  for (auto& entry : polled) {
    if (booking.meters.find(entry.key) != nullptr || booking.gone.contains(entry.key)) continue;
    booking.meters.insert(kj::str(entry.key), entry.value.clone());
  }
  bool isWorthwhile = false;
  for (auto& entry : booking.meters) {
    isWorthwhile = isWorthwhile || meteredAs(entry.value.state).hasMemory;
  }
  kj::Array<VmConsumption> consumed;
  kj::Maybe<kj::Exception> failure;
  if (isWorthwhile) {
    try {
      consumed = co_await host.consumption();
    } catch (...) {
      failure = kj::getCaughtExceptionAsKj();
    }
  }
  KJ_IF_MAYBE (e, failure) {
    // The counters go on: the next look sees what this one did not.
    KJ_IF_MAYBE (leftOut, failures.next()) {
      KJ_LOG(WARNING, "what machines take of the processors is not known at the moment",
             e->getDescription(), *leftOut);
    }
  }
  for (auto& entry : booking.meters) {
    if (!entry.value.isPolled) continue;
    // Of one whose change is not stored yet the event will say when it was.
    KJ_IF_MAYBE (workspace, host.find(entry.key)) {
      if (!meteredAs(workspace->state).isPolled) continue;
      Meter(entry.value, booking.change.records).pass(booking.change.at);
    }
  }
  for (auto& each : consumed) {
    KJ_IF_MAYBE (row, booking.meters.find(each.name)) {
      if (!meteredAs(row->state).hasMemory) continue;
      Meter(*row, booking.change.records)
          .consume(each.qemu, static_cast<int64_t>(each.cpuNanos / 1000));
    }
  }
}

kj::Promise<void> Metering::commit(Booking booking) {
  auto& change = booking.change;
  if (change.at.boot == 0) change.at = host.now();
  const auto at = change.at;
  const auto through = change.eventsThrough;
  auto number = lastNumber;
  for (auto& record : change.records) record.number = ++number;
  for (auto& entry : booking.meters) change.meters.add(entry.value.clone());
  for (auto& id : booking.gone) change.removed.add(kj::str(id));
  change.keepFromMillis = at.wallMillis - RETENTION_MILLIS;
  // Where it fails, what is in the store is read again.
  const bool wasKnown = isKnown;
  isKnown = false;
  co_await store.commit(kj::mv(change));
  isKnown = wasKnown;
  for (auto& id : booking.gone) polled.erase(id);
  for (auto& entry : booking.meters) {
    polled.erase(entry.key);
    if (entry.value.isPolled) polled.insert(kj::mv(entry.key), kj::mv(entry.value));
  }
  eventsThrough = through;
  lastNumber = number;
  last = at;
  looks.clear();
}

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
    meter.pass(now);
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
    meter.pass(now);
    meter.close();
  }
  result.records = records.releaseAsArray();
  co_return kj::mv(result);
}

}  // namespace bothy
