#pragma once

#include <capnp/serialize.h>
#include <kj/debug.h>

#include <deque>

#include "wire/message-budget.h"
#include "wire/message-guard.h"

namespace bothy {

using capnp::rpc::Message;
using Peer = GuardRules::Peer;

constexpr kj::uint MAX_ANSWERS = 4;
constexpr kj::uint MAX_EXPORTS = 3;
constexpr size_t MAX_QUEUE = 1000;

inline GuardRules rulesFor(Peer peer, kj::uint maxUnanswered) {
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

// Takes nothing.
class DeafStream final: public capnp::MessageStream {
public:
  kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>> tryReadMessage(
      kj::ArrayPtr<kj::AutoCloseFd>, capnp::ReaderOptions, kj::ArrayPtr<capnp::word>) override {
    return kj::NEVER_DONE;
  }
  kj::Promise<void> writeMessage(kj::ArrayPtr<const int>,
                                 kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>>) override {
    return kj::NEVER_DONE;
  }
  kj::Promise<void> writeMessages(
      kj::ArrayPtr<kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>>>) override {
    return kj::NEVER_DONE;
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

inline void bootstrap(Message::Builder message) {
  message.initBootstrap();
}
inline void answerOf(Message::Builder message) {
  message.initReturn().initResults();
}

}  // namespace bothy
