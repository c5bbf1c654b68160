#include "wire/message-guard.h"

#include <string.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "wire/event-loop.h"
#include "wire/testing/message-guard-world.h"

namespace bothy {
namespace {

TEST_CASE("S01 only the kinds of messages that its part needs come from a peer") {
  auto passes = [](Peer kind, auto&& fill) { return World(kind).passes(fill); };
  CHECK(passes(Peer::ASKS, bootstrap));
  CHECK_FALSE(passes(Peer::ANSWERS, bootstrap));
  CHECK_FALSE(passes(Peer::ONLY_ANSWERS, bootstrap));
  auto call = [](Message::Builder message) { message.initCall().getSendResultsTo().setCaller(); };
  CHECK(passes(Peer::ASKS, call));
  CHECK(passes(Peer::ANSWERS, call));
  CHECK_FALSE(passes(Peer::ONLY_ANSWERS, call));
  auto elsewhere = [](Message::Builder message) {
    message.initCall().getSendResultsTo().setYourself();
  };
  CHECK_FALSE(passes(Peer::ASKS, elsewhere));
  auto unimplemented = [](Message::Builder message) {
    message.initUnimplemented().initResolve().initCap().setNone();
  };
  CHECK(passes(Peer::ASKS, unimplemented));
  CHECK(passes(Peer::ANSWERS, unimplemented));
  CHECK_FALSE(passes(Peer::ONLY_ANSWERS, unimplemented));
  // Ignored by the RPC system, however many come.
  CHECK_FALSE(passes(Peer::ONLY_ANSWERS,
                     [](Message::Builder message) { message.initReturn().setAnswerId(1u << 31); }));
  for (auto kind : {Peer::ASKS, Peer::ANSWERS, Peer::ONLY_ANSWERS}) {
    CHECK(passes(kind, answerOf));
    // What the RPC system would echo whole.
    CHECK_FALSE(passes(kind, [](Message::Builder message) { message.initProvide(); }));
    CHECK_FALSE(passes(kind, [](Message::Builder message) { message.initAccept(); }));
    CHECK_FALSE(passes(kind, [](Message::Builder message) { message.initJoin(); }));
    // What it would keep.
    CHECK_FALSE(passes(kind, [](Message::Builder message) { message.initDisembargo(); }));
    CHECK_FALSE(passes(kind, [](Message::Builder message) { message.initObsoleteSave(); }));
  }
}

TEST_CASE("S01 a peer leaves only so many answers unfinished") {
  World w(Peer::ASKS);
  for (uint32_t i = 0; i < MAX_ANSWERS; i++) {
    w.addCall(i);
    CHECK(w.passes());
  }
  w.answer(0, 0);
  w.addFinish(0);
  CHECK(w.passes());
  w.addCall(100);
  CHECK(w.passes());
  w.addCall(101);
  CHECK_FALSE(w.passes());
}

TEST_CASE("S01 a call counts until its answer is written, also where it was finished") {
  World w(Peer::ASKS);
  for (uint32_t i = 0; i < MAX_ANSWERS; i++) {
    w.addCall(i);
    CHECK(w.passes());
    w.addFinish(i);
    CHECK(w.passes());
  }
  w.addCall(MAX_ANSWERS);
  CHECK_FALSE(w.passes());
}

TEST_CASE("S01 nothing more is read of a peer whose calls wait for answers") {
  World w(Peer::ANSWERS, 2);
  for (uint32_t i = 0; i < 3; i++) {
    w.addCall(i);
    CHECK(w.passes());
  }
  w.add(answerOf);
  auto reading = w.guard.tryReadMessage(nullptr, capnp::ReaderOptions(), nullptr);
  w.timer.advanceTo(w.timer.now() + 1 * kj::HOURS);
  CHECK_FALSE(reading.poll(w.scope));
  w.answer(1, 0);
  w.timer.advanceTo(w.timer.now() + MessageGuard::MOST_QUEUE_PAUSE);
  CHECK(reading.poll(w.scope));
}

TEST_CASE("S01 a message over the limit is refused") {
  World w(Peer::ANSWERS);
  CHECK_FALSE(w.passes([](Message::Builder message) {
    message.initReturn().initResults().getContent().initAs<capnp::Data>(10000);
  }));
}

TEST_CASE("S01 nothing more is read of a peer that does not read") {
  World w(Peer::ASKS);
  size_t queued = MAX_QUEUE + 1;
  w.guard.watchQueue([&]() { return queued; });
  w.add(answerOf);
  auto reading = w.guard.tryReadMessage(nullptr, capnp::ReaderOptions(), nullptr);
  w.timer.advanceTo(w.timer.now() + 1 * kj::HOURS);
  CHECK_FALSE(reading.poll(w.scope));
  queued = 0;
  w.timer.advanceTo(w.timer.now() + MessageGuard::MOST_QUEUE_PAUSE);
  CHECK(reading.poll(w.scope));
}

TEST_CASE("S01 a call counts by what it takes, most where it waits for another's answer") {
  World w(Peer::ASKS);
  const auto heldFor = [&](uint32_t question, kj::uint target) {
    const auto before = w.guard.heldBytes();
    CHECK(w.passes([&](Message::Builder message) {
      auto call = message.initCall();
      call.setQuestionId(question);
      call.initTarget().initPromisedAnswer().setQuestionId(target);
      call.getSendResultsTo().setCaller();
    }));
    return w.guard.heldBytes() - before;
  };
  w.addCall(1);
  CHECK(w.passes());
  const auto waiting = heldFor(2, 1);
  w.answer(1, 0);
  CHECK(w.guard.heldBytes() == waiting);
  const auto plain = heldFor(3, 1);
  CHECK(waiting - plain == MessageGuard::PIPELINED_CALL_BYTES - MessageGuard::WAITING_CALL_BYTES);
  w.answer(2, 0);
  CHECK(w.guard.heldBytes() == plain);
}

TEST_CASE(
    "S01 a message that waits counts with what it takes beside its bytes until it is written") {
  World w(Peer::ASKS);
  DeafStream deaf;
  MessageGuard guard(deaf, w.timer, rulesFor(Peer::ASKS, kj::maxValue));
  capnp::MallocMessageBuilder message;
  answerOf(message.initRoot<Message>());
  auto segments = message.getSegmentsForOutput();
  kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> messages[] = {segments, segments, segments};
  auto writing = guard.writeMessages(messages);
  CHECK(guard.heldBytes() ==
        3 * (MessageGuard::WAITING_MESSAGE_BYTES + segments[0].size() * sizeof(capnp::word)));
}

TEST_CASE("P12 what is streamed to a peer never keeps it from being read") {
  World w(Peer::ASKS);
  auto rules = rulesFor(Peer::ASKS, kj::maxValue);
  rules.maxQueueBytes = 2 * MessageGuard::MOST_WAITING_BYTES;
  MessageGuard guard(w.peer, w.timer, rules);
  size_t queued = MessageGuard::MOST_WAITING_BYTES - 1;
  guard.watchQueue([&]() { return queued; });
  CHECK(guard.untilRoomToSend().poll(w.scope));
  queued = MessageGuard::MOST_WAITING_BYTES;
  auto sending = guard.untilRoomToSend();
  CHECK_FALSE(sending.poll(w.scope));
  CHECK(guard.untilRoom().poll(w.scope));
  auto write = [&]() {
    capnp::MallocMessageBuilder message;
    answerOf(message.initRoot<Message>());
    guard.writeMessage(nullptr, message.getSegmentsForOutput()).wait(w.scope);
  };
  write();
  CHECK_FALSE(sending.poll(w.scope));
  queued = 0;
  write();
  CHECK(sending.poll(w.scope));
}

TEST_CASE("S01 nothing is kept of the text of a peer's exception") {
  auto peer = GENERATE(Peer::ASKS, Peer::ANSWERS);
  World w(peer);
  auto fill = [](capnp::rpc::Exception::Builder exception) {
    exception.setType(capnp::rpc::Exception::Type::OVERLOADED);
    exception.setReason("\033[2Jtheirs");
    exception.setTrace("theirs");
  };
  w.add([&](auto message) { fill(message.initReturn().initException()); });
  w.add([&](auto message) { fill(message.initAbort()); });
  w.add([&](auto message) {
    auto resolve = message.initResolve();
    resolve.setPromiseId(7);
    fill(resolve.initException());
  });
  for (int i = 0; i < 3; ++i) {
    auto read = w.guard.tryReadMessage(nullptr, capnp::ReaderOptions(), nullptr).wait(w.scope);
    auto root = KJ_REQUIRE_NONNULL(read).reader->getRoot<Message>();
    auto text = kj::str(root);
    CHECK(strstr(text.cStr(), "theirs") == nullptr);
    CHECK(strstr(text.cStr(), "overloaded") != nullptr);
    CHECK(strstr(text.cStr(), peer == Peer::ASKS ? "the client" : "the workspace") != nullptr);
    if (root.isResolve()) CHECK(root.getResolve().getPromiseId() == 7);
  }
}

TEST_CASE("S01 a peer that never pauses is read in turns") {
  World w(Peer::ASKS);
  kj::uint read = 0;
  for (kj::uint i = 0; i < 3 * MessageGuard::TURN_MESSAGES; i++) w.add(answerOf);
  auto reading = [](World& w, kj::uint& read) -> kj::Promise<void> {
    while (co_await w.guard.tryReadMessage(nullptr, capnp::ReaderOptions(), nullptr) != nullptr) {
      ++read;
    }
  }(w, read);
  CHECK_FALSE(reading.poll(w.scope));
  CHECK(read == MessageGuard::TURN_MESSAGES);
  w.timer.advanceTo(w.timer.now());
  CHECK_FALSE(reading.poll(w.scope));
  CHECK(read == 2 * MessageGuard::TURN_MESSAGES);
}

TEST_CASE("S01 a peer whose messages are large is read in turns") {
  constexpr size_t LARGE = MessageGuard::TURN_BYTES / 4;
  World w(Peer::ASKS);
  auto rules = rulesFor(Peer::ASKS, kj::maxValue);
  rules.maxMessageWords = MessageGuard::TURN_BYTES / sizeof(capnp::word);
  MessageGuard guard(w.peer, w.timer, rules);
  for (int i = 0; i < 6; i++) {
    w.add([](auto message) {
      message.initReturn().initResults().initContent().template initAs<capnp::Data>(LARGE);
    });
  }
  auto read = [&]() { return guard.tryReadMessage(nullptr, capnp::ReaderOptions(), nullptr); };
  for (int i = 0; i < 4; i++) CHECK(read().wait(w.scope) != nullptr);
  auto fifth = read();
  CHECK_FALSE(fifth.poll(w.scope));
  w.timer.advanceTo(w.timer.now());
  REQUIRE(fifth.poll(w.scope));
  CHECK(fifth.wait(w.scope) != nullptr);
}

TEST_CASE("S01 a peer whose messages take long is read in turns") {
  World w(Peer::ASKS);
  for (int i = 0; i < 3; i++) w.add(answerOf);
  auto read = [&]() { return w.guard.tryReadMessage(nullptr, capnp::ReaderOptions(), nullptr); };
  read().wait(w.scope);
  w.clock.time += MessageGuard::TURN_TIME - 1 * kj::NANOSECONDS;
  read().wait(w.scope);
  w.clock.time += 1 * kj::NANOSECONDS;
  auto third = read();
  CHECK_FALSE(third.poll(w.scope));
  w.timer.advanceTo(w.timer.now());
  CHECK(third.poll(w.scope));
}

TEST_CASE("S01 a peer leaves only so many calls unanswered, and streams wait before that") {
  World w(Peer::ASKS);
  auto ask = [&](uint32_t question) {
    capnp::MallocMessageBuilder message;
    message.initRoot<Message>().initCall().setQuestionId(question);
    w.guard.writeMessage(nullptr, message.getSegmentsForOutput()).wait(w.scope);
  };
  uint32_t asked = 0;
  while (asked < MessageGuard::MAX_QUESTIONS / 2 - 1) ask(asked++);
  CHECK(w.guard.untilRoomToSend().poll(w.scope));
  ask(asked++);
  CHECK_FALSE(w.guard.untilRoomToSend().poll(w.scope));
  CHECK(w.passes([](auto message) { message.initReturn().setAnswerId(0); }));
  CHECK(w.guard.untilRoomToSend().poll(w.scope));
  while (asked <= MessageGuard::MAX_QUESTIONS) ask(asked++);
  CHECK_THROWS(ask(asked));
}

TEST_CASE("P41 what was written and may not have been read is told") {
  World w(Peer::ASKS);
  int writes = 0;
  w.guard.notifySent([&]() { ++writes; });
  w.addCall(1);
  CHECK(w.passes());
  CHECK_FALSE(w.guard.isAnyUnread());
  w.answer(1, 0);
  CHECK(writes == 1);
  CHECK(w.guard.isAnyUnread());
  w.addFinish(1, false);
  CHECK(w.passes());
  CHECK_FALSE(w.guard.isAnyUnread());
  CHECK(w.guard.received() == 2);
  CHECK(writes == 1);
}

void release(Message::Builder message) {
  message.initRelease();
}

// Work that goes on for a while, beside a loop that looks at its timers meanwhile.
kj::Promise<void> work(World& w, kj::uint& left) {
  while (left > 0) {
    --left;
    w.timer.advanceTo(w.timer.now());
    co_await kj::evalLater([]() {});
  }
}

TEST_CASE("S02 a peer has its next turn when what its last one began is done") {
  World w(Peer::ASKS);
  for (kj::uint i = 0; i < MessageGuard::TURN_MESSAGES; i++) CHECK(w.passes(release));
  w.add(release);
  kj::uint left = 100;
  kj::Maybe<kj::uint> leftThen;
  auto reading = w.guard.tryReadMessage(nullptr, capnp::ReaderOptions(), nullptr)
                     .then([&](auto&&) { leftThen = left; })
                     .eagerlyEvaluate(nullptr);
  work(w, left).wait(w.scope);
  while (!reading.poll(w.scope)) w.timer.advanceTo(w.timer.now());
  CHECK(KJ_REQUIRE_NONNULL(leftThen) == 0);
}

// A loop that looks at its timers also while it is busy; a millisecond has gone by each time.
class BusyPort final: public kj::EventPort {
public:
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};

  bool wait() override { return poll(); }
  bool poll() override {
    timer.advanceTo(timer.now() + 1 * kj::MILLISECONDS);
    return false;
  }
};

struct Reading {
  FullStream peer;
  MessageGuard guard;
  explicit Reading(kj::Timer& timer) : guard(peer, timer, rulesFor(Peer::ASKS, kj::maxValue)) {}

  kj::Promise<void> read(kj::uint messages) {
    capnp::MallocMessageBuilder message;
    release(message.initRoot<Message>());
    for (kj::uint i = 0; i < messages; i++) {
      peer.messages.push_back(capnp::messageToFlatArray(message));
      co_await guard.tryReadMessage(nullptr, capnp::ReaderOptions(), nullptr);
    }
  }
};

TEST_CASE("S02 peers that never pause keep no other from its next turn") {
  BusyPort port;
  kj::EventLoop loop(port);
  kj::WaitScope scope(loop);
  scope.setBusyPollInterval(BUSY_POLL_INTERVAL);
  kj::Vector<kj::Own<Reading>> peers;
  kj::Vector<kj::Promise<void>> greedy;
  Reading modest(port.timer);
  bool isRead = false;
  auto reading = modest.read(MessageGuard::TURN_MESSAGES + 1)
                     .then([&]() { isRead = true; })
                     .eagerlyEvaluate(nullptr);
  for (int i = 0; i < 100; i++) {
    auto& peer = *peers.add(kj::heap<Reading>(port.timer));
    greedy.add(peer.read(kj::maxValue).eagerlyEvaluate(nullptr));
  }
  port.timer.afterDelay(1 * kj::SECONDS).wait(scope);
  CHECK(isRead);
}

}  // namespace
}  // namespace bothy
