#include "wire/read-receipts.h"

namespace bothy {

using capnp::rpc::Message;

void ReadReceipts::noteSent(Message::Reader message) {
  ++sent;
  auto note = [this](kj::HashMap<uint32_t, uint64_t>& open, uint32_t id) {
    open.upsert(id, sent, [](uint64_t& last, uint64_t&& now) { last = now; });
  };
  switch (message.which()) {
    case Message::BOOTSTRAP:
      note(questions, message.getBootstrap().getQuestionId());
      break;
    case Message::CALL:
      note(questions, message.getCall().getQuestionId());
      break;
    case Message::RETURN:
      if (!message.getReturn().getNoFinishNeeded())
        note(answers, message.getReturn().getAnswerId());
      break;
    default:
      break;
  }
}

void ReadReceipts::noteReceived(Message::Reader message) {
  switch (message.which()) {
    case Message::RETURN:
      take(questions, message.getReturn().getAnswerId());
      break;
    case Message::FINISH:
      take(answers, message.getFinish().getQuestionId());
      break;
    default:
      break;
  }
}

void ReadReceipts::take(kj::HashMap<uint32_t, uint64_t>& open, uint32_t id) {
  KJ_IF_MAYBE (message, open.find(id)) {
    read = kj::max(read, *message);
    open.erase(id);
  }
}

}  // namespace bothy
