#include "control/event-watch.h"

#include <kj/debug.h>

#include "control/translation.h"

namespace bothy {
namespace {

// Read from the store at a time.
constexpr size_t BATCH_EVENTS = 64;

}  // namespace

EventWatch::EventWatch(EventLog& log, uint64_t after, rpc::EventSink::Client sink)
    : log(log),
      cursor(after),
      sink(kj::mv(sink)),
      feeding(feed().eagerlyEvaluate([](kj::Exception&&) {
        // The client's sink is broken: there is nobody to tell.
      })) {}

kj::Promise<void> EventWatch::feed() {
  for (;;) {
    co_await log.beyond(cursor);
    auto events = log.read(cursor, BATCH_EVENTS);
    for (auto& event : events) {
      auto request = sink.eventRequest();
      fill(request.initEvent(), event);
      // Returns when the client's window has room.
      co_await request.send();
      cursor = event.number;
    }
  }
}

}  // namespace bothy
