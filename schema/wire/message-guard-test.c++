#include "wire/message-guard.h"

#include <capnp/serialize.h>
#include <deque>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "wire/message-budget.h"

namespace bothy {
namespace {

using capnp::rpc::Message;
using Peer = GuardRules::Peer;

constexpr kj::uint MAX_ANSWERS = 4;
constexpr kj::uint MAX_EXPORTS = 3;
constexpr size_t MAX_QUEUE = 1000;

GuardRules rulesFor(Peer peer, kj::uint maxUnanswered) {
  return {peer, 1024, MAX_QUEUE, MAX_ANSWERS, MAX_EXPORTS, maxUnanswered};
}

// Messages that are there at once, however many are read.
class FullStream final: public capnp::MessageStream {
public:
  std::deque<kj::Array<capnp::word>> messages;

  kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>> tryReadMessage(
      kj::ArrayPtr<kj::AutoCloseFd>, capnp::ReaderOptions options,
      kj::ArrayPtr<capnp::word>) override {
    if (messages.empty()) return kj::Maybe<capnp::MessageReaderAndFds>(nullptr);
    auto words = kj::mv(messages.front());
    messages.pop_front();
    if (words.size() > options.traversalLimitInWords) return KJ_EXCEPTION(FAILED, "too large");
    kj::Own<capnp::MessageReader> reader = kj::heap<capnp::FlatArrayMessageReader>(words, options);
    return kj::Maybe(capnp::MessageReaderAndFds{reader.attach(kj::mv(words)), nullptr});
  }
  kj::Promise<void> writeMessage(kj::ArrayPtr<const int>,
                                 kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>>) override {
    return kj::READY_NOW;
  }
  kj::Promise<void> writeMessages(
      kj::ArrayPtr<kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>>>) override {
    return kj::READY_NOW;
  }
  kj::Maybe<int> getSendBufferSize() override { return nullptr; }
  kj::Promise<void> end() override { return kj::READY_NOW; }
  using MessageStream::tryReadMessage;
  using MessageStream::writeMessage;
};

class TestClock final: public kj::MonotonicClock {
public:
  kj::TimePoint time = kj::origin<kj::TimePoint>();
  kj::TimePoint now() const override { return time; }
};

struct World {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  TestClock clock;
  FullStream peer;
  MessageGuard guard;
  explicit World(Peer kind, kj::uint maxUnanswered = kj::maxValue,
                 kj::Maybe<MessageBudget&> budget = nullptr)
      : guard(peer, timer, rulesFor(kind, maxUnanswered), budget, clock) {}

  template <typename Fill>
  void add(Fill&& fill) {
    capnp::MallocMessageBuilder message;
    fill(message.initRoot<Message>());
    peer.messages.push_back(capnp::messageToFlatArray(message));
  }
  void addCall(uint32_t question) {
    add([&](auto message) {
      auto call = message.initCall();
      call.setQuestionId(question);
      call.getSendResultsTo().setCaller();
    });
  }
  void addFinish(uint32_t question, bool releases = true) {
    add([&](auto message) {
      auto finish = message.initFinish();
      finish.setQuestionId(question);
      finish.setReleaseResultCaps(releases);
    });
  }
  // Whether the next message is let through.
  bool passes() {
    auto reading = guard.tryReadMessage(nullptr, capnp::ReaderOptions(), nullptr);
    if (!reading.poll(scope)) {
      timer.advanceTo(timer.now());
      KJ_REQUIRE(reading.poll(scope));
    }
    return reading.then([](auto&&) { return true; }, [](kj::Exception&&) { return false; })
        .wait(scope);
  }
  template <typename Fill>
  bool passes(Fill&& fill) {
    add(fill);
    return passes();
  }
  void answer(uint32_t question, kj::uint capabilities) {
    capnp::MallocMessageBuilder message;
    auto answer = message.initRoot<Message>().initReturn();
    answer.setAnswerId(question);
    auto table = answer.initResults().initCapTable(capabilities);
    for (auto descriptor : table) descriptor.setSenderHosted(1);
    guard.writeMessage(nullptr, message.getSegmentsForOutput()).wait(scope);
  }
};

void bootstrap(Message::Builder message) {
  message.initBootstrap();
}
void answerOf(Message::Builder message) {
  message.initReturn().initResults();
}

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
    CHECK_FALSE(passes(kind, [](Message::Builder message) { message.initObsoleteSave(); }));
  }
}

TEST_CASE("S01 a peer that only answers gives one capability, the first") {
  World w(Peer::ONLY_ANSWERS);
  auto withCapability = [](Message::Builder message) {
    message.initReturn().initResults().initCapTable(1)[0].setSenderHosted(0);
  };
  CHECK(w.passes(withCapability));
  CHECK(w.passes(answerOf));
  CHECK_FALSE(w.passes(withCapability));
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
    w.addCall(0);
    CHECK(w.passes());
    w.addFinish(0);
    CHECK(w.passes());
  }
  w.addCall(0);
  CHECK_FALSE(w.passes());
}

TEST_CASE(
    "S01 a peer's message has only so many capabilities, and none that lies deep in an answer") {
  auto call = [](Message::Builder message) {
    auto call = message.initCall();
    call.getSendResultsTo().setCaller();
    return call;
  };
  auto withCapabilities = [&](kj::uint count) {
    return World(Peer::ASKS).passes([&](Message::Builder message) {
      call(message).initParams().initCapTable(count);
    });
  };
  CHECK(withCapabilities(MessageGuard::MAX_CAPABILITIES));
  CHECK_FALSE(withCapabilities(MessageGuard::MAX_CAPABILITIES + 1));
  auto withTransform = [&](kj::uint steps) {
    return World(Peer::ASKS).passes([&](Message::Builder message) {
      call(message).initTarget().initPromisedAnswer().initTransform(steps);
    });
  };
  CHECK(withTransform(MessageGuard::MAX_TRANSFORM));
  CHECK_FALSE(withTransform(MessageGuard::MAX_TRANSFORM + 1));
  auto withAnswer = [&](kj::uint steps) {
    return World(Peer::ASKS).passes([&](Message::Builder message) {
      call(message).initParams().initCapTable(1)[0].initReceiverAnswer().initTransform(steps);
    });
  };
  CHECK(withAnswer(MessageGuard::MAX_TRANSFORM));
  CHECK_FALSE(withAnswer(MessageGuard::MAX_TRANSFORM + 1));
}

TEST_CASE("S01 a peer gives only so many capabilities that it is not given back") {
  World w(Peer::ANSWERS);
  auto give = [&](uint32_t question) {
    return w.passes([&](Message::Builder message) {
      auto answer = message.initReturn();
      answer.setAnswerId(question);
      auto table = answer.initResults().initCapTable(MessageGuard::MAX_CAPABILITIES);
      for (auto descriptor : table) descriptor.setSenderHosted(0);
    });
  };
  auto finish = [&](uint32_t question, bool leaves) {
    capnp::MallocMessageBuilder message;
    auto finish = message.initRoot<Message>().initFinish();
    finish.setQuestionId(question);
    finish.setReleaseResultCaps(leaves);
    w.guard.writeMessage(nullptr, message.getSegmentsForOutput()).wait(w.scope);
  };
  constexpr kj::uint MANY = MessageGuard::MAX_IMPORTS / MessageGuard::MAX_CAPABILITIES;
  // Those of a call that was cancelled are nobody's, whichever of the two comes first.
  for (kj::uint i = 0; i < MANY; i++) {
    finish(1, true);
    CHECK(give(1));
    CHECK(give(2));
    finish(2, true);
  }
  for (kj::uint i = 0; i < MANY; i++) {
    CHECK(give(3));
    finish(3, false);
  }
  CHECK_FALSE(give(3));
  capnp::MallocMessageBuilder message;
  message.initRoot<Message>().initRelease().setReferenceCount(2 * MessageGuard::MAX_CAPABILITIES);
  w.guard.writeMessage(nullptr, message.getSegmentsForOutput()).wait(w.scope);
  CHECK(give(3));
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

TEST_CASE("S01 a peer keeps only so many capabilities") {
  World w(Peer::ASKS);
  auto ask = [&](uint32_t question, bool releases) {
    w.addCall(question);
    CHECK(w.passes());
    w.answer(question, 1);
    w.addFinish(question, releases);
    CHECK(w.passes());
  };
  // Given back with its answer, or later.
  for (uint32_t i = 0; i < 10; i++) ask(i, true);
  for (uint32_t i = 0; i < MAX_EXPORTS; i++) ask(i, false);
  w.addCall(50);
  CHECK(w.passes());
  CHECK_THROWS_AS(w.answer(50, 1), kj::Exception);
  CHECK(w.passes(
      [](Message::Builder message) { message.initRelease().setReferenceCount(MAX_EXPORTS + 1); }));
  w.answer(50, 1);
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

TEST_CASE("S01 peers that hold all there is are not read, but for a share of each") {
  MessageBudget budget(1000, 100);
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
  CHECK(callBytes > 0);
  greedy.guard.notePart(50 - callBytes);
  CHECK(budget.total() == 1000);
  CHECK_FALSE(greedy.guard.untilRoom().poll(greedy.scope));
  CHECK(modest.untilRoom().poll(greedy.scope));
  queuedOfModest = 100;
  CHECK_FALSE(modest.untilRoom().poll(greedy.scope));

  greedy.addCall(2);
  auto reading = greedy.guard.tryReadMessage(nullptr, capnp::ReaderOptions(), nullptr);
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

TEST_CASE("P12 what is streamed to a peer never keeps it from being read") {
  World w(Peer::ASKS);
  size_t queued = MAX_QUEUE / 2 + 1;
  w.guard.watchQueue([&]() { return queued; });
  auto sending = w.guard.untilRoomToSend();
  CHECK_FALSE(sending.poll(w.scope));
  CHECK(w.guard.untilRoom().poll(w.scope));
  queued = MAX_QUEUE / 2;
  w.timer.advanceTo(w.timer.now() + MessageGuard::LEAST_QUEUE_PAUSE);
  CHECK(sending.poll(w.scope));
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

TEST_CASE("S01 a peer offers no capability of a third party") {
  World w(Peer::ASKS);
  CHECK_FALSE(w.passes([](auto message) {
    auto call = message.initCall();
    call.getSendResultsTo().setCaller();
    call.initParams().initCapTable(1)[0].initThirdPartyHosted();
  }));
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

}  // namespace
}  // namespace bothy
