#include "wire/read-receipts.h"

namespace bothy {

using capnp::rpc::Message;

void ReadReceipts::noteSent(Message::Reader message) {
  ++sentCount;
  switch (message.which()) {
    case Message::BOOTSTRAP:
      noteQuestion(questions, message.getBootstrap().getQuestionId(), sentCount);
      break;
    case Message::CALL:
      noteQuestion(questions, message.getCall().getQuestionId(), sentCount);
      break;
    case Message::RETURN:
      noteReturn(message.getReturn());
      break;
    default:
      break;
  }
}

void ReadReceipts::noteReceived(Message::Reader message) {
  switch (message.which()) {
    case Message::BOOTSTRAP:
      noteQuestion(answers, message.getBootstrap().getQuestionId(), 0);
      break;
    case Message::CALL:
      noteQuestion(answers, message.getCall().getQuestionId(), 0);
      break;
    case Message::RETURN:
      KJ_IF_MAYBE (asked, questions.find(message.getReturn().getAnswerId())) {
        readCount = kj::max(readCount, *asked);
        questions.erase(message.getReturn().getAnswerId());
      }
      break;
    case Message::FINISH:
      noteFinish(message.getFinish());
      break;
    default:
      break;
  }
}

void ReadReceipts::noteQuestion(Messages& open, uint32_t id, uint64_t message) {
  open.upsert(id, message, [](uint64_t& last, uint64_t&& now) { last = now; });
}

// One for a question that was given up before has no entry any more, and gets none: no Finish would take it away.
void ReadReceipts::noteReturn(capnp::rpc::Return::Reader answer) {
  if (answer.getNoFinishNeeded()) {
    answers.erase(answer.getAnswerId());
  } else KJ_IF_MAYBE (message, answers.find(answer.getAnswerId())) {
    *message = sentCount;
  }
}

void ReadReceipts::noteFinish(capnp::rpc::Finish::Reader finish) {
  KJ_IF_MAYBE (message, answers.find(finish.getQuestionId())) {
    // Who had read the Return has its capabilities and keeps them; else the two have crossed.
    if (!finish.getReleaseResultCaps()) readCount = kj::max(readCount, *message);
    answers.erase(finish.getQuestionId());
  }
}

}  // namespace bothy
