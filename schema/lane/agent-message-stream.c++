#include "lane/agent-message-stream.h"

#include <capnp/rpc.h>

#include "lane/lane-greeting.h"

namespace bothy {

AgentMessageStream::AgentMessageStream(kj::AsyncIoStream& stream,
                                       kj::Own<kj::PromiseFulfiller<LaneAnswer>> answer)
    : stream(stream),
      inner(stream, capnp::IncomingRpcMessage::getShortLivedCallback()),
      answer(kj::mv(answer)),
      welcome(readWelcome().fork()) {}

kj::Promise<bool> AgentMessageStream::readWelcome() {
  kj::Own<capnp::MessageReader> message;
  co_await readGreeting(stream).then(
      [&](kj::Own<capnp::MessageReader>&& read) { message = kj::mv(read); },
      [&](kj::Exception&& exception) {
        ended = true;
        answer->reject(kj::mv(exception));
      });
  if (message.get() == nullptr) co_return false;
  auto welcome = message->getRoot<rpc::Welcome>();
  if (welcome.isGeneration()) {
    answer->fulfill(LaneAnswer(welcome.getGeneration()));
    co_return true;
  }
  refused = true;
  answer->fulfill(LaneAnswer(LaneRefused{welcome.getRefused(), welcome.getOldest()}));
  co_return false;
}

kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>> AgentMessageStream::tryReadMessage(
    kj::ArrayPtr<kj::AutoCloseFd> fdSpace, capnp::ReaderOptions options,
    kj::ArrayPtr<capnp::word> scratchSpace) {
  // Also by an exception, and by being cancelled: whoever reads is the connection itself.
  bool whole = false;
  KJ_DEFER(ended = !whole);
  if (!isGreeted) {
    if (!co_await welcome.addBranch()) co_return nullptr;
    isGreeted = true;
  }
  auto received = co_await inner.tryReadMessage(fdSpace, options, scratchSpace);
  whole = received != nullptr;
  co_return kj::mv(received);
}

kj::Promise<void> AgentMessageStream::writeMessage(
    kj::ArrayPtr<const int> fds, kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) {
  return afterWelcome([&]() { return inner.writeMessage(fds, segments); });
}

kj::Promise<void> AgentMessageStream::writeMessages(
    kj::ArrayPtr<kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>>> messages) {
  return afterWelcome([&]() { return inner.writeMessages(messages); });
}

kj::Promise<void> AgentMessageStream::afterWelcome(kj::Function<kj::Promise<void>()> write) {
  if (isGreeted) return write();
  return kj::evalNow(write).catch_([this](kj::Exception&& failure) {
    return welcome.addBranch().then(
        [failure = kj::mv(failure)](bool) mutable -> kj::Promise<void> { return kj::mv(failure); });
  });
}

kj::Maybe<int> AgentMessageStream::getSendBufferSize() {
  return inner.getSendBufferSize();
}

kj::Promise<void> AgentMessageStream::end() {
  return inner.end();
}

}  // namespace bothy
