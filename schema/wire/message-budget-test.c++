#include "wire/message-budget.h"

#include <kj/vector.h>

#include <catch2/catch_test_macros.hpp>

#include "wire/testing/message-guard-world.h"

namespace bothy {
namespace {

constexpr auto CALL = MessageGuard::WAITING_CALL_BYTES;
constexpr auto LIMIT = MessageGuard::MOST_STANDSTILL;
constexpr auto LOOK = MessageBudget::LEAST_LOOK_BYTES;

TEST_CASE("S01 peers that hold all there is are not read, but for a share of each") {
  constexpr size_t MOST = 1000 + 3 * CALL;
  MessageBudget budget(MessageBudget::Limits{.maxBytes = MOST, .shareBytes = 100});
  World greedy(Peer::ASKS, kj::maxValue, budget);
  FullStream otherPeer;
  MessageGuard modest(otherPeer, greedy.timer, rulesFor(Peer::ASKS, kj::maxValue), budget);
  size_t queued = 950, queuedOfModest = 0;
  greedy.guard.watchQueue([&]() { return queued; });
  modest.watchQueue([&]() { return queuedOfModest; });
  CHECK(greedy.guard.untilRoom().poll(greedy.scope));
  // A call, until it is answered.
  greedy.addCall(1);
  CHECK(greedy.passes());
  const auto callBytes = greedy.guard.heldBytes() - queued;
  CHECK(callBytes > CALL);
  auto holding = greedy.guard.untilRoomForPart(MOST - queued - callBytes);
  CHECK(budget.total() == MOST);
  CHECK_FALSE(greedy.guard.untilRoom().poll(greedy.scope));
  CHECK(modest.untilRoom().poll(greedy.scope));
  queuedOfModest = 100;
  CHECK_FALSE(modest.untilRoom().poll(greedy.scope));

  greedy.addCall(2);
  auto reading = greedy.guard.tryReadMessage(nullptr, capnp::ReaderOptions(), nullptr);
  // Whoever waits for itself alone.
  greedy.timer.advanceTo(greedy.timer.now() + 1 * kj::HOURS);
  CHECK_FALSE(reading.poll(greedy.scope));
  queued = 0;
  CHECK(modest.untilRoom().poll(greedy.scope));
  greedy.timer.advanceTo(greedy.timer.now() + MessageGuard::MOST_QUEUE_PAUSE);
  reading.wait(greedy.scope);
  CHECK(greedy.guard.heldBytes() == 2 * callBytes);
  greedy.addFinish(1);
  CHECK(greedy.passes());
  CHECK(greedy.guard.heldBytes() == 2 * callBytes);
  greedy.answer(1, 0);
  greedy.answer(2, 0);
  CHECK(greedy.guard.heldBytes() == 0);
}

// Connections of several holders with one budget.
struct Holders {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  FullStream stream;
  MessageBudget budget;
  kj::Vector<kj::Own<MessageGuard>> guards;

  explicit Holders(const MessageBudget::Limits& limits) : budget(limits) {}

  MessageGuard& add(kj::StringPtr holder) {
    GuardRules rules{Peer::ASKS, 1024, kj::maxValue, kj::maxValue, MAX_EXPORTS};
    return *guards.add(kj::heap<MessageGuard>(stream, timer, rules, budget, nullptr, holder));
  }
  // Of a message that comes on, whether it may.
  bool mayTake(MessageGuard& guard, size_t part) {
    return guard.untilRoomForPart(part).poll(scope);
  }
  // Takes a call that nobody answers, where it may.
  void takeCall(MessageGuard& guard, uint32_t question, size_t bytes = 0) {
    capnp::MallocMessageBuilder message;
    auto call = message.initRoot<Message>().initCall();
    call.setQuestionId(question);
    call.getSendResultsTo().setCaller();
    call.initParams().getContent().initAs<capnp::Data>(bytes);
    stream.messages.push_back(capnp::messageToFlatArray(message));
    auto reading = guard.tryReadMessage(nullptr, capnp::ReaderOptions(), nullptr);
    for (int i = 0; i < 2 && !reading.poll(scope); i++) pass(MessageGuard::MOST_QUEUE_PAUSE);
    if (reading.poll(scope)) reading.wait(scope);
  }
  void pass(kj::Duration time) {
    scope.poll();
    timer.advanceTo(timer.now() + time);
    scope.poll();
  }
};

TEST_CASE("S01 calls that wait take nothing of a connection's share of messages") {
  Holders w({.maxBytes = 1'000'000, .shareBytes = 10'000, .shareCalls = 5});
  auto& greedy = w.add("greedy");
  auto& modest = w.add("modest");
  for (uint32_t i = 0; i < 4; i++) w.takeCall(modest, i, 3500);
  auto& large = w.add("large");
  w.takeCall(large, 1, MessageGuard::SMALL_CALL_BYTES + 3000);
  CHECK_FALSE(w.mayTake(greedy, 1'000'000));
  CHECK(w.mayTake(modest, 9'999));
  CHECK_FALSE(w.mayTake(modest, 10'000));
  // Large ones do, with what makes them large.
  CHECK(w.mayTake(large, 6'000));
  CHECK_FALSE(w.mayTake(large, 7'000));
}

TEST_CASE("S01 more calls than its share are taken of a connection while there is room") {
  Holders w({.maxBytes = 1'000'000, .shareBytes = 10'000, .shareCalls = 2});
  auto& greedy = w.add("greedy");
  auto& modest = w.add("modest");
  for (uint32_t i = 0; i < 3; i++) w.takeCall(modest, i);
  CHECK(w.mayTake(modest, 0));
  CHECK_FALSE(w.mayTake(greedy, 1'000'000));
  CHECK_FALSE(w.mayTake(modest, 0));
}

TEST_CASE("S01 connections of one holder have so much together, and others have theirs") {
  Holders w({.maxBytes = 1'000'000, .maxHolderBytes = 300'000, .shareBytes = 10'000});
  auto& first = w.add("alice");
  auto& second = w.add("alice");
  auto& other = w.add("bob");
  auto& nobodys = w.add("");
  auto& nobodysToo = w.add("");
  CHECK_FALSE(w.mayTake(first, 300'000));
  CHECK_FALSE(w.mayTake(second, 10'000));
  CHECK(w.mayTake(second, 9'999));
  CHECK(w.mayTake(other, 200'000));
  CHECK(w.mayTake(nobodys, 400'000));
  CHECK_FALSE(w.mayTake(nobodysToo, 200'000));
}

TEST_CASE("S01 a holder who has little is read though all is used up, up to what shares come to") {
  Holders w({.maxBytes = 1'000'000,
             .littleBytes = 100'000,
             .shareBytes = 10'000,
             .mostBytes = 1'150'000,
             .keptBytes = 2'000'000});
  auto& first = w.add("one");
  auto& second = w.add("one");
  auto& other = w.add("two");
  CHECK_FALSE(w.mayTake(w.add("all"), 1'000'000));
  CHECK(w.mayTake(first, 60'000));
  CHECK_FALSE(w.mayTake(second, 40'000));
  CHECK(w.mayTake(second, 39'999));
  CHECK_FALSE(w.mayTake(other, 50'001));
  CHECK(w.mayTake(other, 50'000));
}

TEST_CASE("S01 a message that stands still ends its connection where others want the room") {
  Holders w({.maxBytes = 1'000'000, .shareBytes = 10'000});
  auto& standing = w.add("one");
  auto& less = w.add("two");
  auto& waiting = w.add("three");
  CHECK(w.mayTake(standing, 600'000));
  CHECK(w.mayTake(less, 380'000));
  auto cut = standing.onCut();
  // While nobody wants it, it may.
  w.pass(100 * LIMIT);
  CHECK(w.mayTake(waiting, 10'000));
  CHECK_FALSE(cut.poll(w.scope));
  auto room = waiting.untilRoomForPart(20'000);
  w.pass(MessageGuard::MOST_QUEUE_PAUSE);
  CHECK(room.poll(w.scope));
  CHECK(cut.poll(w.scope));
  REQUIRE(standing.breach() != nullptr);
  CHECK(standing.onCut().poll(w.scope));
  CHECK_FALSE(standing.untilRoom().poll(w.scope));
  CHECK(w.budget.total() == 400'000);
  // One end was enough.
  CHECK_FALSE(less.onCut().poll(w.scope));
}

TEST_CASE("S01 a message that is held up does not stand still") {
  Holders w({.maxBytes = 1'000'000, .shareBytes = 10'000});
  auto& busy = w.add("one");
  size_t queued = 900'000;
  busy.watchQueue([&]() { return queued; });
  auto& heldUp = w.add("two");
  auto& other = w.add("three");
  CHECK(w.mayTake(heldUp, 50'000));
  w.pass(LIMIT - 1 * kj::SECONDS);
  auto room = heldUp.untilRoomForPart(100'000);
  w.pass(LIMIT - 1 * kj::SECONDS);
  auto otherRoom = other.untilRoomForPart(20'000);
  CHECK_FALSE(heldUp.onCut().poll(w.scope));
  queued = 0;
  w.pass(MessageGuard::MOST_QUEUE_PAUSE);
  CHECK(room.poll(w.scope));
  CHECK(otherRoom.poll(w.scope));
  // The rest of its own time.
  queued = 900'000;
  auto again = other.untilRoomForPart(30'000);
  w.pass(1 * kj::SECONDS - MessageGuard::MOST_QUEUE_PAUSE);
  CHECK_FALSE(heldUp.onCut().poll(w.scope));
  w.pass(2 * MessageGuard::MOST_QUEUE_PAUSE);
  CHECK(heldUp.onCut().poll(w.scope));
}

TEST_CASE("S01 who holds most ends where another waits for long, though nothing stands still") {
  Holders w({.maxBytes = 1'000'000, .shareBytes = 10'000, .keptBytes = 20'000});
  // None of two large messages can come whole.
  auto& more = w.add("more");
  auto& less = w.add("less");
  for (int i = 0; i < 3; i++) w.add("many").watchQueue([]() { return size_t{20'000}; });
  CHECK(w.mayTake(less, 400'000));
  CHECK_FALSE(w.mayTake(more, 600'000));
  auto roomOfMore = more.untilRoomForPart(600'000);
  auto room = less.untilRoomForPart(400'000);
  // One that waits for its own client waits for nobody.
  DeafStream deaf;
  MessageGuard unread(deaf, w.timer, rulesFor(Peer::ASKS, kj::maxValue), w.budget, nullptr, "deaf");
  unread.watchQueue([]() { return size_t{15'000}; });
  w.pass(1 * kj::SECONDS);
  auto roomOfUnread = unread.untilRoom();
  w.pass(LIMIT - 2 * kj::SECONDS);
  CHECK_FALSE(more.onCut().poll(w.scope));
  CHECK_FALSE(room.poll(w.scope));
  w.pass(1 * kj::SECONDS);
  w.pass(MessageGuard::MOST_QUEUE_PAUSE);
  CHECK(more.onCut().poll(w.scope));
  CHECK_FALSE(roomOfMore.poll(w.scope));
  CHECK(room.poll(w.scope));
  for (auto& guard : w.guards) CHECK(guard->onCut().poll(w.scope) == (guard.get() == &more));
  w.mayTake(less, 980'000);
  w.pass(10 * LIMIT);
  CHECK_FALSE(less.onCut().poll(w.scope));
}

TEST_CASE("S01 who fills the whole by calls makes nobody else give, however long he waits") {
  Holders w({.maxBytes = 10 * CALL, .shareBytes = 10'000, .shareCalls = 100, .keptBytes = 12'000});
  auto& calls = w.add("greedy");
  auto& waiting = w.add("greedy");
  auto& honest = w.add("honest");
  CHECK(w.mayTake(honest, 15'000));
  for (uint32_t i = 0; i < 12; i++) w.takeCall(calls, i);
  auto room = waiting.untilRoomForPart(11'000);
  CHECK_FALSE(room.poll(w.scope));
  // Honest stands still all this time.
  for (int i = 0; i < 3; i++) {
    w.pass(LIMIT - 1 * kj::SECONDS);
    w.pass(MessageGuard::MOST_QUEUE_PAUSE);
  }
  CHECK_FALSE(honest.onCut().poll(w.scope));
  // Who waits for room that another has is told.
  auto honestRoom = honest.untilRoomForPart(20'000);
  w.pass(MessageGuard::MOST_WAIT);
  CHECK(honest.onCut().poll(w.scope));
  CHECK_FALSE(waiting.onCut().poll(w.scope));
}

TEST_CASE("S01 a message within its share may stand still, whatever others want") {
  Holders w({.maxBytes = 100'000, .shareBytes = 10'000});
  auto& stopped = w.add("one");
  auto& large = w.add("one");
  auto& waiting = w.add("two");
  CHECK(w.mayTake(stopped, 9'000));
  size_t queued = 95'000;
  large.watchQueue([&]() { return queued; });
  w.pass(LIMIT);
  auto room = waiting.untilRoomForPart(20'000);
  w.pass(MessageGuard::MOST_QUEUE_PAUSE);
  CHECK_FALSE(stopped.onCut().poll(w.scope));
  CHECK_FALSE(room.poll(w.scope));
}

TEST_CASE("S01 a whole message begins its time anew") {
  Holders w({.maxBytes = 100'000, .shareBytes = 10'000});
  auto& sending = w.add("one");
  auto& waiting = w.add("two");
  CHECK(w.mayTake(sending, 20'000));
  w.pass(LIMIT - 1 * kj::SECONDS);
  w.takeCall(sending, 1);
  w.pass(2 * kj::SECONDS);
  CHECK(w.mayTake(sending, 60'000));
  auto room = waiting.untilRoomForPart(30'000);
  w.pass(LIMIT - 1 * kj::SECONDS);
  CHECK_FALSE(sending.onCut().poll(w.scope));
  w.pass(1 * kj::SECONDS);
  w.pass(MessageGuard::MOST_QUEUE_PAUSE);
  CHECK(sending.onCut().poll(w.scope));
}

TEST_CASE("S01 answers that nobody reads end their connection where others want the room") {
  Holders w({.maxBytes = 1'000'000, .shareBytes = 10'000});
  DeafStream deaf;
  size_t queued = 990'000;
  MessageGuard unread(deaf, w.timer, rulesFor(Peer::ASKS, kj::maxValue), w.budget, nullptr, "one");
  unread.watchQueue([&]() { return queued; });
  MessageGuard little(deaf, w.timer, rulesFor(Peer::ASKS, kj::maxValue), w.budget, nullptr, "two");
  capnp::MallocMessageBuilder message;
  answerOf(message.initRoot<Message>());
  auto writing = unread.writeMessage(nullptr, message.getSegmentsForOutput());
  auto writingLittle = little.writeMessage(nullptr, message.getSegmentsForOutput());
  w.pass(LIMIT - 1 * kj::SECONDS);
  auto& waiting = w.add("three");
  auto room = waiting.untilRoomForPart(20'000);
  CHECK_FALSE(room.poll(w.scope));
  CHECK_FALSE(unread.onCut().poll(w.scope));
  w.pass(1 * kj::SECONDS);
  w.pass(MessageGuard::MOST_QUEUE_PAUSE);
  CHECK(unread.onCut().poll(w.scope));
  CHECK(room.poll(w.scope));
  // Of what each may have whatever the others do, nobody has to give.
  auto more = waiting.untilRoomForPart(1'000'000);
  w.pass(1 * kj::HOURS);
  CHECK_FALSE(little.onCut().poll(w.scope));
}

TEST_CASE(
    "S01 where shares come to more than there is, who holds most ends, and none with its own") {
  constexpr size_t KEPT = 2 * LOOK, MOST = 8 * KEPT;
  Holders w({.maxBytes = 2 * KEPT, .shareBytes = KEPT, .mostBytes = MOST, .keptBytes = KEPT});
  // Of one who has many, each within its own.
  for (int i = 0; i < 5; i++) w.mayTake(w.add("many"), KEPT);
  auto& heavy = w.add("heavy");
  w.mayTake(heavy, KEPT + 2000);
  auto& heavier = w.add("heavy");
  w.mayTake(heavier, KEPT + 3000);
  auto& single = w.add("single");
  w.mayTake(single, KEPT + 4000);
  for (auto& guard : w.guards) REQUIRE(guard->onCut().poll(w.scope) == (guard.get() == &heavier));
  CHECK(w.budget.total() <= MOST);
}

TEST_CASE("S01 calls without end come to no more than all may hold") {
  constexpr size_t MOST = 8 * LOOK;
  Holders w({.maxBytes = 4 * LOOK, .shareBytes = LOOK, .mostBytes = MOST});
  auto& modest = w.add("modest");
  for (uint32_t i = 0; i < 20; i++) w.takeCall(modest, i);
  auto& first = w.add("greedy");
  auto& second = w.add("greedy");
  const auto isOver = [&]() { return first.onCut().poll(w.scope) || second.onCut().poll(w.scope); };
  for (uint32_t i = 0; i < MOST / CALL && !isOver(); i++) {
    w.takeCall(first, i);
    if (!isOver()) w.takeCall(second, i);
    CHECK(w.budget.total() <= MOST + 3 * CALL);
  }
  CHECK(isOver());
  CHECK_FALSE(modest.onCut().poll(w.scope));
  CHECK(w.mayTake(modest, 0));
}

}  // namespace
}  // namespace bothy
