#include "simulation/event-watcher.h"

namespace bothy {
namespace {

constexpr size_t BATCH_EVENTS = 20;
constexpr kj::Duration RETRY_PAUSE = 1 * kj::SECONDS;

}  // namespace

void EventWatcher::hear(const EventPage& page) {
  auto& heard = ledger.heard[number];
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
