#include "support/event-record.h"

#include <kj/debug.h>

namespace bothy {

class EventRecord::Sink final: public rpc::EventSink::Server {
public:
  explicit Sink(kj::Own<Link> link) : link(kj::mv(link)) {}

  kj::Promise<void> event(EventContext context) override {
    KJ_IF_MAYBE (record, link->record) {
      record->add(context.getParams().getEvent());
    }
    return kj::READY_NOW;
  }

private:
  kj::Own<Link> link;
};

void EventRecord::add(rpc::Event::Reader event) {
  if (!entries.empty()) {
    auto last = entries.back()->message.getRoot<rpc::Event>().getNumber();
    KJ_REQUIRE(event.getNumber() > last, "an event came again or too late", last);
  }
  auto entry = kj::heap<Entry>();
  entry->message.setRoot(event);
  entries.add(kj::mv(entry));
  KJ_IF_MAYBE (fulfiller, changed) {
    (*fulfiller)->fulfill();
  }
}

namespace {

constexpr uint64_t BEYOND_ALL = int64_t(kj::maxValue);

class NoSink final: public rpc::EventSink::Server {};

}  // namespace

uint64_t EventRecord::newest(SupervisedHost& host) {
  auto request = host.supervisor().watchRequest();
  request.setAfter(BEYOND_ALL);
  request.setSink(kj::heap<NoSink>());
  return host.wait(request.send().dropPipeline(), "the newest event").getLast();
}

EventRecord::EventRecord(SupervisedHost& host, uint64_t after) : host(host) {
  auto request = host.supervisor().watchRequest();
  request.setAfter(after);
  request.setSink(kj::heap<Sink>(kj::addRef(*link)));
  auto response = host.wait(request.send().dropPipeline(), "the events");
  handle = response.getHandle();
}

EventRecord::~EventRecord() noexcept(false) {
  link->record = nullptr;
}

kj::Array<rpc::Event::Reader> EventRecord::all() {
  auto builder = kj::heapArrayBuilder<rpc::Event::Reader>(entries.size());
  for (auto& entry : entries) builder.add(entry->message.getRoot<rpc::Event>().asReader());
  return builder.finish();
}

kj::Array<rpc::Event::Reader> EventRecord::ofHost() {
  kj::Vector<rpc::Event::Reader> result;
  for (auto event : all()) {
    // In a row.
    if (event.getCause() >= rpc::Cause::PROGRAM_ENDED &&
        event.getCause() <= rpc::Cause::PORT_CLOSED) {
      continue;
    }
    result.add(event);
  }
  return result.releaseAsArray();
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
