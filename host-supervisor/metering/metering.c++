#include "metering/metering.h"

#include <kj/debug.h>

namespace bothy {
namespace {

// Of events that are read and booked at a time.
constexpr size_t EVENTS_AT_ONCE = 256;
// Of those that one transaction books.
constexpr size_t EVENTS_OF_ONE = 4096;
// So long what is booked is new enough for who asks, if nothing has happened.
constexpr kj::Duration FRESH = 500 * kj::MILLISECONDS;
// What has happened is looked at so soon, also between two intervals: whose a workspace was, and how large, the list tells as long as it is there.
constexpr kj::Duration EVENT_LAG = 1 * kj::SECONDS;
constexpr kj::Duration LOG_PERIOD = 1 * kj::MINUTES;
constexpr int64_t RETENTION_MILLIS = USAGE_RETENTION / kj::MILLISECONDS;

// A machine is there, or on its way.
bool mayHaveMachine(WorkspaceState state) {
  return meteredAs(state).hasMemory || state == WorkspaceState::STARTING;
}
bool isOfMachine(const EventRecord& event) {
  return mayHaveMachine(event.before) || mayHaveMachine(event.after);
}

}  // namespace

Metering::Metering(UsageStore& store, EventLog& events, MeteredHost& host, kj::Timer& timer)
    : store(store), events(events), host(host), timer(timer), failures(timer, LOG_PERIOD) {}

kj::Promise<void> Metering::run() {
  auto due = timer.now();
  for (;;) {
    kj::Maybe<kj::Exception> failure;
    const auto before = eventsThrough, newest = events.newest();
    const bool isWhole = timer.now() >= due;
    if (isWhole) due = timer.now() + METERING_INTERVAL;
    try {
      auto slot = co_await turn.take();
      co_await bookAlone(isWhole ? Look::WHOLE : Look::EVENTS);
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
    // Where reading them does not get on, the next interval tries again.
    const bool getsOn = isKnown && (eventsThrough > before || newest <= before);
    auto next = timer.atTime(due);
    if (getsOn) {
      next = next.exclusiveJoin(
          events.beyond(eventsThrough).then([this]() { return timer.afterDelay(EVENT_LAG); }));
    }
    co_await next;
  }
}

kj::Promise<void> Metering::book() {
  auto slot = co_await turn.take();
  co_await bookAlone(Look::WHOLE);
}

kj::Promise<void> Metering::bookAlone(Look look) {
  co_await know();
  if (look == Look::WHOLE) booked = timer.now();
  Booking booking;
  auto pages = co_await happened(booking);
  co_await see(look, pages);
  co_await loadEnded(booking);
  for (auto& page : pages) {
    for (auto& event : page->events) follow(booking, event, booking.change.at);
  }
  noteLook(booking.change.at, booking.change.eventsThrough);
  if (look == Look::WHOLE) poll(booking);
  consume(booking);
  // Also where nothing has happened: when bothyd looked last is known then.
  co_await commit(kj::mv(booking));
}

// What somebody asks for is not booked anew for each page of it.
kj::Promise<void> Metering::bookUnlessFresh() {
  const bool isFresh = isKnown && events.newest() == eventsThrough && booked != nullptr &&
                       timer.now() - KJ_ASSERT_NONNULL(booked) < FRESH;
  if (!isFresh) co_await bookAlone(Look::WHOLE);
}

kj::Promise<void> Metering::know() {
  if (isKnown) co_return;
  auto stored = co_await store.begin();
  // It was told that it failed, and is in.
  const bool isIn = stored.at.boot == attempted.boot &&
                    stored.at.bootMillis == attempted.bootMillis &&
                    stored.at.wallMillis == attempted.wallMillis;
  if (isIn) forgetTimes();
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
      pass(row, meter, now);
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
      pass(row, meter, now);
      meter.close();
      booking.gone.insert(kj::mv(row.workspaceId));
    }
    if (booking.gone.size() > 0) co_await commit(kj::mv(booking));
  }
}

// What has happened since, with the meters of which it tells.
kj::Promise<Metering::Pages> Metering::happened(Booking& booking) {
  uint64_t through = eventsThrough;
  Pages pages;
  for (size_t count = 0; through < events.newest() && count < EVENTS_OF_ONE;) {
    auto page = co_await events.read(through, EVENTS_AT_ONCE);
    if (page->through <= through) break;
    through = page->through;
    count += page->events.size();
    co_await load(
        booking, KJ_MAP(event, page->events)->kj::StringPtr { return event.workspaceId; });
    pages.add(kj::mv(page));
  }
  booking.change.eventsThrough = through;
  booking.change.at = host.now();
  co_return kj::mv(pages);
}

// What machines have taken: of those that have ended too, before their meters are closed.
kj::Promise<void> Metering::see(Look look, const Pages& pages) {
  times.seeNothing();
  bool isWorthwhile = owesLook;
  for (auto& page : pages) {
    for (auto& event : page->events) isWorthwhile = isWorthwhile || isOfMachine(event);
  }
  if (!isWorthwhile && (look == Look::EVENTS || polled.size() == 0)) co_return;
  kj::Maybe<kj::Exception> failure;
  try {
    owesLook = true;
    times.see(co_await host.consumption());
    owesLook = false;
  } catch (...) {
    failure = kj::getCaughtExceptionAsKj();
  }
  KJ_IF_MAYBE (e, failure) {
    // The counters go on: the next look sees what this one did not.
    KJ_IF_MAYBE (leftOut, failures.next()) {
      KJ_LOG(WARNING, "what machines take of the processors is not known at the moment",
             e->getDescription(), *leftOut);
    }
  }
}

// The meters of which events tell.
kj::Promise<void> Metering::load(Booking& booking, kj::Array<kj::StringPtr> of) {
  kj::HashSet<kj::StringPtr> wanted;
  for (auto id : of) {
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

// Those whose machines have ended for sure, and whose events may have been booked by an earlier look, which nobody could make.
kj::Promise<void> Metering::loadEnded(Booking& booking) {
  kj::Vector<kj::StringPtr> ids;
  for (auto& each : times.all()) {
    bool isEnded = times.isToldNoMore(each);
    if (!isEnded) {
      isEnded = true;
      KJ_IF_MAYBE (workspace, host.find(each.name)) isEnded = !mayHaveMachine(workspace->state);
    }
    if (isEnded) ids.add(each.name);
  }
  co_await load(booking, ids.releaseAsArray());
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
    // Nobody saw when its machine ended: what was after the last look counts as what was found.  One that runs is booked until it was seen.
    passToLast(row, meter);
    meter.become(event.after);
  }
  pass(row, meter, momentOf(event, now));
  if (event.gone) {
    for (auto& each : times.all()) {
      if (each.name == id) meter.consume(each.qemu, static_cast<int64_t>(each.cpuNanos / 1000));
    }
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

// What runs.
void Metering::poll(Booking& booking) {
  for (auto& entry : polled) {
    if (booking.meters.find(entry.key) != nullptr || booking.gone.contains(entry.key)) continue;
    booking.meters.insert(kj::str(entry.key), entry.value.clone());
  }
  const auto& at = booking.change.at;
  for (auto& entry : booking.meters) {
    auto& row = entry.value;
    if (!row.isPolled) continue;
    // Of one that could not be taken over nobody knows whether it still runs: it is booked when it is seen again.
    if (times.hasLooked() ? !times.isSeen(entry.key) : row.through.boot != at.boot) continue;
    // Of one whose change is not stored yet the event will say when it was.
    KJ_IF_MAYBE (workspace, host.find(entry.key)) {
      if (meteredAs(workspace->state).isPolled) Meter(row, booking.change.records).pass(at);
    }
  }
}

// Also by those that were just paused or have ended, which take no more.
void Metering::consume(Booking& booking) {
  for (auto& each : times.all()) {
    KJ_IF_MAYBE (row, booking.meters.find(each.name)) {
      Meter(*row, booking.change.records)
          .consume(each.qemu, static_cast<int64_t>(each.cpuNanos / 1000));
    }
  }
  for (auto& entry : booking.meters) booking.consumed.insert(kj::str(entry.key));
  for (auto& id : booking.gone) booking.consumed.insert(kj::str(id));
}

// What is booked.
void Metering::forgetTimes() {
  times.keep([this](kj::StringPtr id) { return !consumed.contains(id); });
  consumed.clear();
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
  attempted = at;
  consumed = kj::mv(booking.consumed);
  co_await store.commit(kj::mv(change));
  isKnown = wasKnown;
  forgetTimes();
  for (auto& id : booking.gone) polled.erase(id);
  for (auto& entry : booking.meters) {
    polled.erase(entry.key);
    if (entry.value.isPolled) polled.insert(kj::mv(entry.key), kj::mv(entry.value));
  }
  eventsThrough = through;
  lastNumber = number;
  if (at.boot != last.boot) lastOfBootBefore = last;
  last = at;
  looks.clear();
}

}  // namespace bothy
