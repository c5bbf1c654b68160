// What a MessageGuard counts of capabilities.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "wire/message-shape.h"
#include "wire/testing/message-guard-world.h"

namespace bothy {
namespace {

TEST_CASE("S01 a peer that only answers gives one capability, the first") {
  World w(Peer::ONLY_ANSWERS);
  auto withCapability = [](Message::Builder message) {
    message.initReturn().initResults().initCapTable(1)[0].setSenderHosted(0);
  };
  CHECK(w.passes(withCapability));
  CHECK(w.passes(answerOf));
  CHECK_FALSE(w.passes(withCapability));
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
  CHECK(withCapabilities(MAX_CAPABILITIES));
  CHECK_FALSE(withCapabilities(MAX_CAPABILITIES + 1));
  auto withTransform = [&](kj::uint steps) {
    return World(Peer::ASKS).passes([&](Message::Builder message) {
      call(message).initTarget().initPromisedAnswer().initTransform(steps);
    });
  };
  CHECK(withTransform(MAX_TRANSFORM));
  CHECK_FALSE(withTransform(MAX_TRANSFORM + 1));
}

TEST_CASE("S01 a peer gives only so many capabilities that it is not given back") {
  World w(Peer::ANSWERS);
  auto give = [&](uint32_t question) {
    return w.passes([&](Message::Builder message) {
      auto answer = message.initReturn();
      answer.setAnswerId(question);
      auto table = answer.initResults().initCapTable(MAX_CAPABILITIES);
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
  constexpr kj::uint MANY = MessageGuard::MAX_IMPORTS / MAX_CAPABILITIES;
  // Those of a call that was cancelled are nobody's, whichever of the two comes first.
  for (kj::uint i = 0; i < MANY; i++) {
    finish(1, true);
    CHECK(give(1));
    CHECK(give(2));
    finish(2, true);
  }
  // A number that is used again means the new question, though the Finish of the old one came after its answer.
  auto ask = [&](uint32_t question, bool isCall) {
    capnp::MallocMessageBuilder message;
    auto root = message.initRoot<Message>();
    if (isCall) {
      root.initCall().setQuestionId(question);
    } else {
      root.initBootstrap().setQuestionId(question);
    }
    w.guard.writeMessage(nullptr, message.getSegmentsForOutput()).wait(w.scope);
  };
  for (kj::uint i = 0; i < MANY; i++) {
    CHECK(w.passes([&](Message::Builder message) {
      auto answer = message.initReturn();
      answer.setAnswerId(3);
      answer.initResults();
    }));
    finish(3, true);
    ask(3, i % 2 == 0);
    CHECK(give(3));
    finish(3, false);
  }
  CHECK_FALSE(give(3));
  capnp::MallocMessageBuilder message;
  message.initRoot<Message>().initRelease().setReferenceCount(2 * MAX_CAPABILITIES);
  w.guard.writeMessage(nullptr, message.getSegmentsForOutput()).wait(w.scope);
  CHECK(give(3));
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

TEST_CASE("S01 a peer whose Finish overtakes an answer keeps nothing of it") {
  World w(Peer::ASKS);
  for (uint32_t i = 0; i < 2 * MAX_EXPORTS; i++) {
    w.addCall(i);
    CHECK(w.passes());
    w.addFinish(i, true);
    CHECK(w.passes());
    w.answer(i, 1);
  }
  // One that keeps the capabilities has them.
  for (uint32_t i = 0; i < MAX_EXPORTS; i++) {
    w.addCall(i);
    CHECK(w.passes());
    w.addFinish(i, false);
    CHECK(w.passes());
    w.answer(i, 1);
  }
  w.addCall(MAX_EXPORTS);
  CHECK(w.passes());
  CHECK_THROWS_AS(w.answer(MAX_EXPORTS, 1), kj::Exception);
}

TEST_CASE("S01 a peer gives back none of our capabilities, and resolves no promise to another") {
  auto peer = GENERATE(Peer::ASKS, Peer::ANSWERS);
  auto passes = [peer](auto&& fill) {
    World w(peer);
    return w.passes([&](Message::Builder message) { fill(message); });
  };
  auto call = [](Message::Builder message) {
    auto call = message.initCall();
    call.getSendResultsTo().setCaller();
    return call.initParams().initCapTable(1)[0];
  };
  CHECK(passes([&](Message::Builder message) { call(message).setSenderPromise(1); }));
  CHECK_FALSE(passes([&](Message::Builder message) { call(message).setReceiverHosted(1); }));
  CHECK_FALSE(passes([&](Message::Builder message) { call(message).initReceiverAnswer(); }));
  CHECK(
      passes([](Message::Builder message) { message.initResolve().initCap().setSenderHosted(1); }));
  CHECK_FALSE(passes(
      [](Message::Builder message) { message.initResolve().initCap().setReceiverHosted(1); }));
  CHECK_FALSE(passes(
      [](Message::Builder message) { message.initResolve().initCap().initReceiverAnswer(); }));
  CHECK_FALSE(passes([](Message::Builder message) {
    auto resolve = message.initResolve();
    resolve.setPromiseId(1);
    resolve.initCap().setSenderPromise(1);
  }));
  CHECK_FALSE(passes([](Message::Builder message) {
    auto table = message.initReturn().initResults().initCapTable(1);
    table[0].setReceiverHosted(1);
  }));
}

TEST_CASE("S01 a question's number is given to no other before its answer is written") {
  World w(Peer::ASKS);
  w.addCall(1);
  w.addFinish(1);
  CHECK(w.passes());
  CHECK(w.passes());
  SECTION("before") {
    w.addCall(1);
    CHECK_FALSE(w.passes());
  }
  SECTION("after") {
    w.answer(1, 0);
    w.addCall(1);
    CHECK(w.passes());
    // Not finished.
    w.answer(1, 0);
    w.addCall(1);
    CHECK_FALSE(w.passes());
  }
}

TEST_CASE("S01 a peer offers no capability of a third party") {
  World w(Peer::ASKS);
  CHECK_FALSE(w.passes([](auto message) {
    auto call = message.initCall();
    call.getSendResultsTo().setCaller();
    call.initParams().initCapTable(1)[0].initThirdPartyHosted();
  }));
}

}  // namespace
}  // namespace bothy
