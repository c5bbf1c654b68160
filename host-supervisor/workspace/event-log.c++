#include "workspace/event-log.h"

namespace bothy {

EventLog::EventLog(Store& store) : store(store), last(store.lastEvent()), growth(nullptr) {
  arm();
}

void EventLog::arm() {
  auto paf = kj::newPromiseAndFulfiller<void>();
  fulfiller = kj::mv(paf.fulfiller);
  growth = paf.promise.fork();
}

void EventLog::grew() {
  // Not read from the store: the change is made, and nothing after it may fail.
  last++;
  fulfiller->fulfill();
  arm();
}

kj::Promise<void> EventLog::beyond(uint64_t after) {
  while (last <= after) co_await growth.addBranch();
}

}  // namespace bothy
