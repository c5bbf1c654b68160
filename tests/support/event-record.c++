#include "support/event-record.h"

#include <kj/debug.h>

namespace bothy {

class EventRecord::Sink final: public rpc::EventSink::Server {
public:
  explicit Sink(EventRecord& record) : record(record) {}

  kj::Promise<void> event(EventContext context) override {
    auto event = context.getParams().getEvent();
    if (!record.entries.empty()) {
      auto last = record.entries.back()->message.getRoot<rpc::Event>().getNumber();
      KJ_REQUIRE(event.getNumber() > last, "an event came again or too late", last);
    }
    auto entry = kj::heap<Entry>();
    entry->message.setRoot(event);
    record.entries.add(kj::mv(entry));
    KJ_IF_MAYBE (fulfiller, record.changed) {
      (*fulfiller)->fulfill();
    }
    return kj::READY_NOW;
  }

private:
  EventRecord& record;
};

EventRecord::EventRecord(SupervisedHost& host) : host(host) {
  auto request = host.supervisor().watchRequest();
  request.setSink(kj::heap<Sink>(*this));
  auto response = host.wait(request.send().dropPipeline(), "the events");
  handle = response.getHandle();
}

EventRecord::~EventRecord() noexcept(false) {}

kj::Array<rpc::Event::Reader> EventRecord::all() {
  auto builder = kj::heapArrayBuilder<rpc::Event::Reader>(entries.size());
  for (auto& entry : entries) builder.add(entry->message.getRoot<rpc::Event>().asReader());
  return builder.finish();
}

void EventRecord::waitUntil(kj::Function<bool()> condition, kj::StringPtr what) {
  auto deadline = host.now() + SupervisedHost::LIMIT;
  while (!condition()) {
    auto paf = kj::newPromiseAndFulfiller<void>();
    changed = kj::mv(paf.fulfiller);
    auto came = paf.promise.then([]() { return true; })
                    .exclusiveJoin(host.timer.atTime(deadline).then([]() { return false; }))
                    .wait(host.scope);
    KJ_REQUIRE(came, "waited in vain", what, all());
  }
}

void EventRecord::waitFor(rpc::Cause cause) {
  waitUntil(
      [&]() {
        for (auto event : all()) {
          if (event.getCause() == cause) return true;
        }
        return false;
      },
      kj::str(cause));
}

}  // namespace bothy
