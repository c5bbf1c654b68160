#pragma once

#include <kj/debug.h>
#include <kj/vector.h>

#include <catch2/catch_test_macros.hpp>

#include "wire/testing/message-guard-world.h"

namespace bothy {

// Connections of several holders with one budget.
struct Holders {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  FullStream stream;
  DeafStream deaf;
  MessageBudget budget;
  kj::Vector<kj::Own<MessageGuard>> guards;
  kj::Vector<kj::Promise<void>> rooms, writes;

  explicit Holders(const MessageBudget::Limits& limits) : budget(limits) {}

  MessageGuard& add(kj::StringPtr holder, size_t queued = 0, size_t maxQueue = kj::maxValue) {
    GuardRules rules{Peer::ASKS, 1024, maxQueue, kj::maxValue, MAX_EXPORTS};
    auto& guard =
        *guards.add(kj::heap<MessageGuard>(stream, timer, rules, budget, nullptr, holder));
    guard.watchQueue([queued]() { return queued; });
    return guard;
  }
  // One to which is written what nobody takes.
  MessageGuard& addDeaf(kj::StringPtr holder, size_t queued) {
    GuardRules rules{Peer::ASKS, 1024, kj::maxValue, kj::maxValue, MAX_EXPORTS};
    auto& guard = *guards.add(kj::heap<MessageGuard>(deaf, timer, rules, budget, nullptr, holder));
    guard.watchQueue([queued]() { return queued; });
    capnp::MallocMessageBuilder message;
    answerOf(message.initRoot<Message>());
    writes.add(guard.writeMessage(nullptr, message.getSegmentsForOutput()));
    return guard;
  }
  // Of a message that comes on, whether it may.
  bool mayTake(MessageGuard& guard, size_t part) {
    return guard.untilRoomForPart(part).poll(scope);
  }
  // The same, and it goes on to wait where it may not.
  void want(MessageGuard& guard, size_t part) {
    rooms.add(guard.untilRoomForPart(part).eagerlyEvaluate(nullptr));
    REQUIRE_FALSE(rooms.back().poll(scope));
  }
  bool isEnded(MessageGuard& guard) { return guard.onCut().poll(scope); }
  // Takes a call that nobody answers.
  void takeCall(MessageGuard& guard, uint32_t question, size_t bytes = 0) {
    capnp::MallocMessageBuilder message;
    auto call = message.initRoot<Message>().initCall();
    call.setQuestionId(question);
    call.getSendResultsTo().setCaller();
    call.initParams().getContent().initAs<capnp::Data>(bytes);
    stream.messages.push_back(capnp::messageToFlatArray(message));
    auto reading = guard.tryReadMessage(nullptr, capnp::ReaderOptions(), nullptr);
    for (int i = 0; i < 2 && !reading.poll(scope); i++) pass(MessageGuard::MOST_QUEUE_PAUSE);
    // None stays, for it would be another's.
    REQUIRE(reading.poll(scope));
    reading.wait(scope);
  }
  void takeCalls(MessageGuard& guard, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) takeCall(guard, i);
  }
  // With a look of whoever waits at its end.
  void pass(kj::Duration time) {
    scope.poll();
    timer.advanceTo(timer.now() + time);
    scope.poll();
  }
  // With looks all the time.
  void passSlowly(kj::Duration time) {
    for (auto left = time; left > 0 * kj::SECONDS; left -= MessageGuard::MOST_QUEUE_PAUSE) {
      pass(MessageGuard::MOST_QUEUE_PAUSE);
    }
  }
};

}  // namespace bothy
