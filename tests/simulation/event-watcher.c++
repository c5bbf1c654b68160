#include "simulation/event-watcher.h"

namespace bothy {
namespace {

constexpr size_t BATCH_EVENTS = 20;
constexpr kj::Duration RETRY_PAUSE = 1 * kj::SECONDS;

}  // namespace

void EventWatcher::hear(const EventPage& page) {
  auto& heard = ledger.heard[number];
  // What has gone from the database since it was read is not missed.
  auto next = page.events.begin();
  for (auto& kept : host.store.events(heard, kj::maxValue).events) {
    if (kept.number > page.through) break;
    while (next != page.events.end() && next->number < kept.number) ++next;
    if (next == page.events.end() || next->number != kept.number) {
      host.judge.accuse("event ", kept.number, " is kept, and a watcher who has heard of ", heard,
                        " is told of those up to ", page.through, " without it");
    }
  }
  for (auto& event : page.events) {
    if (event.number <= heard) {
      host.judge.accuse("event ", event.number, " comes again, or out of order, behind ", heard);
    }
    heard = event.number;
  }
  heard = kj::max(heard, page.through);
}

kj::Promise<void> EventWatcher::watch() {
  co_await bothyd.onServing();
  while (bothyd.serves()) {
    co_await bothyd.eventLog().beyond(ledger.heard[number]);
    co_await host.timer.afterDelay(host.fate.between(0 * kj::SECONDS, longestPause));
    kj::Maybe<kj::Own<EventLog::Page>> page;
    try {
      page = co_await bothyd.eventLog().read(ledger.heard[number], BATCH_EVENTS);
    } catch (...) {
      kj::getCaughtExceptionAsKj();
    }
    KJ_IF_MAYBE (p, page) {
      hear(**p);
    } else {
      co_await host.timer.afterDelay(RETRY_PAUSE);
    }
  }
}

}  // namespace bothy
