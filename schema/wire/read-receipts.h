#pragma once

#include <capnp/rpc.capnp.h>
#include <kj/map.h>

namespace bothy {

// Which of the messages that were sent the peer of an RPC connection has surely read: those up to the latest that it has
// answered.  That it sends something else proves nothing, since both ends send when they like.
class ReadReceipts final {
public:
  void noteSent(capnp::rpc::Message::Reader message);
  void noteReceived(capnp::rpc::Message::Reader message);

  // Whether one was sent after the last one that has surely been read.
  bool isAnyMissing() const { return sentCount != readCount; }
  // Questions of ours that have no Return.
  size_t openQuestions() const { return questions.size(); }
  // Questions of the peer's that have no Finish, or no Return that goes without one.
  size_t openAnswers() const { return answers.size(); }

private:
  using Messages = kj::HashMap<uint32_t, uint64_t>;

  uint64_t sentCount = 0;
  uint64_t readCount = 0;
  // By question: the number of the message that asked it.
  Messages questions;
  // By question of the peer's: the number of its Return, 0 before that.
  Messages answers;

  void noteQuestion(Messages& open, uint32_t id, uint64_t message);
  void noteReturn(capnp::rpc::Return::Reader answer);
  void noteFinish(capnp::rpc::Finish::Reader finish);
};

}  // namespace bothy
