#include "workspace/event-log.h"

namespace bothy {

EventLog::EventLog(Store& store) : store(store), growth(nullptr) {
  arm();
}

void EventLog::arm() {
  auto paf = kj::newPromiseAndFulfiller<void>();
  fulfiller = kj::mv(paf.fulfiller);
  growth = paf.promise.fork();
}

void EventLog::reached(uint64_t lastEvent) {
  if (lastEvent <= last) return;
  last = lastEvent;
  fulfiller->fulfill();
  arm();
}

kj::Promise<uint64_t> EventLog::first() {
  auto page = co_await store.events(0, 1);
  co_return page.events.size() > 0 ? page.events[0].number : page.through;
}

kj::Promise<void> EventLog::beyond(uint64_t after) {
  while (last <= after) co_await growth.addBranch();
}

}  // namespace bothy
