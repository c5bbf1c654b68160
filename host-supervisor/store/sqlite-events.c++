#include "store/sqlite-events.h"

#include <kj/debug.h>
#include <kj/vector.h>

namespace bothy {
namespace {

// The newest events of a workspace among which one that is equal is looked for.
constexpr int64_t EVENTS_LOOKED_AT = 16;
// The oldest events that one new event may have removed for their age.
constexpr int64_t MOST_REMOVED = 64;
// All are counted when so many were added.
constexpr uint32_t COUNTING_INTERVAL = 4096;
// Those of a workspace are counted when this part of what it may have was added.
constexpr uint32_t COUNTING_PART = 32;
// Workspaces of which it is known how many were added; more, and all are counted again.
constexpr size_t MOST_COUNTED_WORKSPACES = 4096;

template <typename Enum>
kj::Maybe<Enum> known(int64_t number, Enum last) {
  if (number < 0 || number > static_cast<int64_t>(last)) return nullptr;
  return static_cast<Enum>(number);
}

}  // namespace

SqliteEvents::SqliteEvents(SqliteDatabase& database, EventLimits limits)
    : limits(limits),
      // Those that earlier processes added are not known: the first one counts.
      uncounted(COUNTING_INTERVAL),
      latest(database,
             "SELECT number, before, after, gone, cause, detail, count, first_nanos, actor FROM "
             "events "
             "WHERE workspace_id=? ORDER BY number DESC LIMIT ?"),
      insert(database,
             "INSERT INTO events (number, time_nanos, count, first_nanos, workspace, workspace_id, "
             "before, after, gone, cause, detail, actor) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"),
      removeOne(database, "DELETE FROM events WHERE number=?"),
      excess(
          database,
          "SELECT number FROM events WHERE workspace_id=? ORDER BY number DESC LIMIT 1 OFFSET ?"),
      removeOfWorkspace(database, "DELETE FROM events WHERE workspace_id=? AND number<=?"),
      excessOfGuest(database,
                    "SELECT number FROM events WHERE workspace_id=? AND cause BETWEEN ? AND ? "
                    "ORDER BY number DESC LIMIT 1 OFFSET ?"),
      removeOfGuest(database,
                    "DELETE FROM events WHERE workspace_id=? AND cause BETWEEN ? AND ? AND "
                    "number<=?"),
      oldest(database, "SELECT time_nanos FROM events ORDER BY number LIMIT 1"),
      removeOld(database,
                "DELETE FROM events WHERE time_nanos<? AND number IN "
                "(SELECT number FROM events ORDER BY number LIMIT ?)"),
      countAll(database, "SELECT count(*) FROM events"),
      removeFirst(database,
                  "DELETE FROM events WHERE number IN "
                  "(SELECT number FROM events ORDER BY number LIMIT ?)"),
      select(database,
             "SELECT number, time_nanos, count, first_nanos, workspace, workspace_id, before, "
             "after, gone, cause, detail, actor FROM events WHERE number > ? ORDER BY number LIMIT "
             "?") {}

void SqliteEvents::add(const EventRecord& event, uint64_t number) {
  int64_t count = event.count;
  int64_t firstNanos = event.firstNanos != 0 ? event.firstNanos : event.timeNanos;
  KJ_IF_MAYBE (equal, equalTo(event)) {
    count += equal->count;
    firstNanos = equal->firstNanos;
    removeOne.again().bind(static_cast<int64_t>(equal->number)).finish();
  }
  insert.again()
      .bind(static_cast<int64_t>(number))
      .bind(event.timeNanos)
      .bind(kj::min(count, int64_t(UINT32_MAX)))
      .bind(firstNanos)
      .bind(event.workspace)
      .bind(event.workspaceId)
      .bind(static_cast<int64_t>(event.before))
      .bind(static_cast<int64_t>(event.after))
      .bind(int64_t(event.gone))
      .bind(static_cast<int64_t>(event.cause))
      .bind(event.detail)
      .bind(event.actor)
      .finish();
  removeBeyondLimits(event);
}

kj::Maybe<SqliteEvents::Equal> SqliteEvents::equalTo(const EventRecord& event) {
  if (!event.isNotice()) return nullptr;
  latest.again().bind(event.workspaceId).bind(EVENTS_LOOKED_AT);
  KJ_DEFER(latest.again());
  while (latest.step()) {
    const auto before = latest.integer(1), after = latest.integer(2), gone = latest.integer(3);
    // What was before a change of state stays where it is.
    if (before != after || gone != 0) return nullptr;
    if (after == static_cast<int64_t>(event.after) &&
        latest.integer(4) == static_cast<int64_t>(event.cause) && latest.text(5) == event.detail &&
        latest.text(8) == event.actor) {
      return Equal{static_cast<uint64_t>(latest.integer(0)),
                   static_cast<uint32_t>(latest.integer(6)), latest.integer(7)};
    }
  }
  return nullptr;
}

void SqliteEvents::removeBeyondLimits(const EventRecord& newest) {
  if (isToCount(newest.workspaceId)) {
    kj::Maybe<int64_t> last;
    {
      excess.again().bind(newest.workspaceId).bind(int64_t(limits.perWorkspace));
      KJ_DEFER(excess.again());
      if (excess.step()) last = excess.integer(0);
    }
    KJ_IF_MAYBE (l, last) {
      removeOfWorkspace.again().bind(newest.workspaceId).bind(*l).finish();
    }
    removeExcessOfGuest(newest.workspaceId);
  }

  const int64_t begin = newest.timeNanos - limits.age / kj::NANOSECONDS;
  // What was the oldest has only given way to newer ones, unless the clock was set.
  if (oldestNanos < begin || oldestNanos > newest.timeNanos) {
    oldest.again();
    KJ_DEFER(oldest.again());
    if (oldest.step()) oldestNanos = oldest.integer(0);
  }
  if (oldestNanos < begin) removeOld.again().bind(begin).bind(MOST_REMOVED).finish();

  if (++uncounted < kj::min(COUNTING_INTERVAL, limits.total)) return;
  uncounted = 0;
  int64_t count = 0;
  {
    countAll.again();
    KJ_DEFER(countAll.again());
    if (countAll.step()) count = countAll.integer(0);
  }
  if (count > limits.total) removeFirst.again().bind(count - limits.total).finish();
}

void SqliteEvents::removeExcessOfGuest(kj::StringPtr workspaceId) {
  constexpr auto FIRST = static_cast<int64_t>(FIRST_GUEST_CAUSE);
  constexpr auto LAST = static_cast<int64_t>(LAST_GUEST_CAUSE);
  kj::Maybe<int64_t> last;
  {
    excessOfGuest.again().bind(workspaceId).bind(FIRST).bind(LAST).bind(int64_t(limits.ofGuest));
    KJ_DEFER(excessOfGuest.again());
    if (excessOfGuest.step()) last = excessOfGuest.integer(0);
  }
  KJ_IF_MAYBE (l, last) {
    removeOfGuest.again().bind(workspaceId).bind(FIRST).bind(LAST).bind(*l).finish();
  }
}

bool SqliteEvents::isToCount(kj::StringPtr workspaceId) {
  KJ_IF_MAYBE (added, addedOf.find(workspaceId)) {
    if (++*added < limits.perWorkspace / COUNTING_PART) return false;
    *added = 0;
    return true;
  }
  if (addedOf.size() >= MOST_COUNTED_WORKSPACES) addedOf.clear();
  addedOf.insert(kj::str(workspaceId), 0);
  return true;
}

EventPage SqliteEvents::read(uint64_t after, size_t limit) {
  EventPage page;
  page.through = after;
  if (after > INT64_MAX) return page;
  kj::Vector<EventRecord> result;
  select.again()
      .bind(static_cast<int64_t>(after))
      .bind(static_cast<int64_t>(kj::min(limit, size_t(INT32_MAX))));
  KJ_DEFER(select.again());
  while (select.step()) {
    EventRecord event;
    page.through = event.number = select.integer(0);
    event.timeNanos = select.integer(1);
    event.count = select.integer(2);
    event.firstNanos = select.integer(3);
    event.workspace = select.text(4);
    event.workspaceId = select.text(5);
    auto before = known(select.integer(6), LAST_STATE);
    auto afterwards = known(select.integer(7), LAST_STATE);
    auto cause = known(select.integer(9), Cause::MEMORY_LOST);
    if (before == nullptr || afterwards == nullptr || cause == nullptr) {
      KJ_LOG(ERROR, "an event in the database is damaged, and is told to nobody", event.number);
      continue;
    }
    event.before = KJ_ASSERT_NONNULL(before);
    event.after = KJ_ASSERT_NONNULL(afterwards);
    event.gone = select.integer(8) != 0;
    event.cause = KJ_ASSERT_NONNULL(cause);
    event.detail = select.text(10);
    event.actor = select.text(11);
    result.add(kj::mv(event));
  }
  page.events = result.releaseAsArray();
  return page;
}

}  // namespace bothy
