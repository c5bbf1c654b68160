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

EventLog::Reading::Reading(EventLog& log, Question question)
    : log(log), question(question), page(log.readAlone(question.after, question.limit).fork()) {
  log.readings.emplace(question, this);
}

EventLog::Reading::~Reading() noexcept(false) {
  log.readings.erase(question);
}

kj::Promise<kj::Own<EventLog::Page>> EventLog::read(uint64_t after, size_t limit) {
  const Question question{after, limit, last};
  auto known = readings.find(question);
  auto reading = known != readings.end() ? kj::addRef(*known->second)
                                         : kj::refcounted<Reading>(*this, question);
  return reading->page.addBranch().attach(kj::mv(reading));
}

kj::Promise<kj::Own<EventLog::Page>> EventLog::readAlone(uint64_t after, size_t limit) {
  auto turn = co_await turns.take();
  co_return kj::refcounted<Page>(co_await store.events(after, limit));
}

kj::Promise<uint64_t> EventLog::first() {
  auto page = co_await read(0, 1);
  co_return page->events.size() > 0 ? page->events[0].number : page->through;
}

kj::Promise<void> EventLog::beyond(uint64_t after) {
  while (last <= after) co_await growth.addBranch();
}

}  // namespace bothy
