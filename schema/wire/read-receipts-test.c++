#include "wire/read-receipts.h"

#include <capnp/message.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

using capnp::rpc::Message;

struct World {
  ReadReceipts receipts;

  template <typename Fill>
  void send(Fill&& fill) {
    capnp::MallocMessageBuilder message;
    fill(message.initRoot<Message>());
    receipts.noteSent(message.getRoot<Message>().asReader());
  }
  template <typename Fill>
  void receive(Fill&& fill) {
    capnp::MallocMessageBuilder message;
    fill(message.initRoot<Message>());
    receipts.noteReceived(message.getRoot<Message>().asReader());
  }
};

auto call(uint32_t question) {
  return [=](Message::Builder message) { message.initCall().setQuestionId(question); };
}
auto answer(uint32_t question, bool isLast = false) {
  return [=](Message::Builder message) {
    message.initReturn().setAnswerId(question);
    message.getReturn().setNoFinishNeeded(isLast);
  };
}
auto finish(uint32_t question, bool crosses = false) {
  return [=](Message::Builder message) {
    message.initFinish().setQuestionId(question);
    message.getFinish().setReleaseResultCaps(crosses);
  };
}

TEST_CASE("P41 an answer proves that the call was read, and all before it") {
  World w;
  CHECK_FALSE(w.receipts.isAnyMissing());
  for (uint32_t question : {1, 2, 3}) w.send(call(question));
  w.receive(answer(2));
  CHECK(w.receipts.isAnyMissing());
  w.receive(answer(3));
  CHECK_FALSE(w.receipts.isAnyMissing());
  // Late, and of what was read anyway.
  w.receive(answer(1));
  CHECK_FALSE(w.receipts.isAnyMissing());
}

TEST_CASE("P41 that a peer calls proves nothing, that it has finished with an answer does") {
  World w;
  w.receive(call(1));
  w.send(answer(1));
  w.receive(call(2));
  CHECK(w.receipts.isAnyMissing());
  w.receive(finish(2));
  CHECK(w.receipts.isAnyMissing());
  w.receive(finish(1));
  CHECK_FALSE(w.receipts.isAnyMissing());
}

TEST_CASE("P41 that a peer gives a question up proves nothing about the answer that crosses it") {
  World w;
  w.receive(call(1));
  w.send(answer(1));
  w.receive(finish(1, true));
  CHECK(w.receipts.isAnyMissing());
}

TEST_CASE("S01 what is counted ends with its question, however the peer ends it") {
  World w;
  for (uint32_t question = 0; question < 1000; question++) {
    w.receive(call(question));
    w.receive(finish(question, true));
    // The Return that says that it was cancelled.
    w.send(answer(question));
    w.receive(finish(question + 1));
  }
  CHECK(w.receipts.openAnswers() == 0);
  w.receive(call(1));
  w.send(answer(1, true));
  CHECK(w.receipts.openAnswers() == 0);
  w.send(call(1));
  CHECK(w.receipts.openQuestions() == 1);
  w.receive(answer(1));
  CHECK(w.receipts.openQuestions() == 0);
}

TEST_CASE("P41 an answer that needs no Finish is proved by what comes after it") {
  World w;
  w.send(answer(1, true));
  CHECK(w.receipts.isAnyMissing());
  w.send(call(7));
  w.receive(answer(7));
  CHECK_FALSE(w.receipts.isAnyMissing());
}

}  // namespace
}  // namespace bothy
