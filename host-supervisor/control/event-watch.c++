#include "control/event-watch.h"

#include <kj/debug.h>

#include "control/translation.h"
#include "loop/failure-of.h"

namespace bothy {
namespace {

// Read from the store at a time.
constexpr size_t BATCH_EVENTS = 64;
// After a store that could not be read: what a client has not heard yet waits there.
constexpr kj::Duration RETRY_PAUSE = 1 * kj::SECONDS;

}  // namespace

EventWatch::EventWatch(EventLog& log, EventWatches& watches, uint64_t after,
                       rpc::EventSink::Client sink, kj::Own<EventWatches::Place> place)
    : place(kj::mv(place)),
      log(log),
      watches(watches),
      cursor(after),
      sink(kj::mv(sink)),
      feeding(feed().eagerlyEvaluate([](kj::Exception&&) {
        // The client's sink is broken: there is nobody to tell.
      })) {}

kj::Promise<void> EventWatch::feed() {
  for (;;) {
    co_await log.beyond(cursor);
    const auto newest = log.newest(), asked = cursor;
    kj::Own<EventLog::Page> page;
    auto failure = co_await failureOf([&]() {
      return log.read(cursor, BATCH_EVENTS).then([&](auto read) { page = kj::mv(read); });
    });
    KJ_IF_MAYBE (e, failure) {
      watches.noteUnreadable(*e);
      co_await watches.timer.afterDelay(RETRY_PAUSE);
      continue;
    }
    for (auto& event : page->events) {
      auto request = sink.eventRequest();
      fill(request.initEvent(), event);
      // Returns when the client's window has room.
      co_await request.send();
      cursor = event.number;
    }
    // Up to there are events that are damaged, or not kept; where none is left, up to the newest.
    cursor = kj::max(cursor, page->through == asked ? newest : page->through);
  }
}

}  // namespace bothy
