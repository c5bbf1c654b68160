#include "workspace/event-log.h"

#include <kj/debug.h>
#include <kj/vector.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr size_t LIMIT = 64;

// Answers reads of events when it is told to.
class SlowStore final: public Store {
public:
  kj::Vector<kj::Own<kj::PromiseFulfiller<EventPage>>> asked;

  kj::Promise<EventPage> events(uint64_t after, size_t limit) override {
    auto paf = kj::newPromiseAndFulfiller<EventPage>();
    asked.add(kj::mv(paf.fulfiller));
    return kj::mv(paf.promise);
  }
  void answer(size_t question, uint64_t through) {
    asked[question]->fulfill(EventPage{nullptr, through});
  }

  kj::Promise<StoredState> begin() override { KJ_UNIMPLEMENTED("nobody does"); }
  kj::Promise<Committed> commit(Change) override { KJ_UNIMPLEMENTED("nobody does"); }
  kj::Promise<kj::Maybe<RequestRecord>> request(kj::StringPtr) override {
    KJ_UNIMPLEMENTED("nobody does");
  }
  kj::Promise<kj::Maybe<kj::Array<const kj::byte>>> configuration(kj::StringPtr) override {
    KJ_UNIMPLEMENTED("nobody does");
  }
  kj::Promise<void> untilFenced() override { return kj::NEVER_DONE; }
};

struct Room {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  SlowStore store;
  EventLog log{store};

  void settle() { scope.poll(); }
};

TEST_CASE("S01 all who ask for the same events have one read of the store") {
  Room room;
  room.log.reached(5);
  kj::Vector<kj::Promise<kj::Own<EventLog::Page>>> pages;
  for (int i = 0; i < 100; ++i) pages.add(room.log.read(4, LIMIT));
  auto first = room.log.first(), again = room.log.first();
  CHECK_FALSE(first.poll(room.scope));
  REQUIRE(room.store.asked.size() == 2);
  room.store.answer(0, 5);
  room.store.answer(1, 3);
  for (auto& page : pages) CHECK(page.wait(room.scope)->through == 5);
  CHECK(first.wait(room.scope) == 3);
  CHECK(again.wait(room.scope) == 3);
}

TEST_CASE("P42 who asks after an event is not told by a read from before it") {
  Room room;
  room.log.reached(5);
  auto before = room.log.read(4, LIMIT);
  room.settle();
  room.log.reached(6);
  auto after = room.log.read(4, LIMIT);
  room.settle();
  REQUIRE(room.store.asked.size() == 2);
  room.store.answer(0, 5);
  room.store.answer(1, 6);
  CHECK(before.wait(room.scope)->through == 5);
  CHECK(after.wait(room.scope)->through == 6);
}

TEST_CASE("S01 events are read at so many places at once, and for nobody who has gone") {
  Room room;
  room.log.reached(1000);
  kj::Vector<kj::Promise<kj::Own<EventLog::Page>>> pages;
  for (size_t i = 0; i < 10 * EVENT_READS_AT_ONCE; ++i) pages.add(room.log.read(i, LIMIT));
  room.settle();
  CHECK(room.store.asked.size() == EVENT_READS_AT_ONCE);
  pages.clear();
  auto last = room.log.read(999, LIMIT);
  room.settle();
  REQUIRE(room.store.asked.size() == EVENT_READS_AT_ONCE + 1);
  room.store.answer(EVENT_READS_AT_ONCE, 1000);
  CHECK(last.wait(room.scope)->through == 1000);
}

TEST_CASE("P42 a read that fails is one for all who wait for it, and the next is another") {
  Room room;
  room.log.reached(5);
  auto one = room.log.read(4, LIMIT), other = room.log.read(4, LIMIT);
  room.settle();
  room.store.asked[0]->reject(KJ_EXCEPTION(FAILED, "the database cannot be read"));
  CHECK_THROWS_AS(one.wait(room.scope), kj::Exception);
  CHECK_THROWS_AS(other.wait(room.scope), kj::Exception);
  auto again = room.log.read(4, LIMIT);
  room.settle();
  REQUIRE(room.store.asked.size() == 2);
  room.store.answer(1, 5);
  CHECK(again.wait(room.scope)->through == 5);
}

}  // namespace
}  // namespace bothy
