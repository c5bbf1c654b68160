#include "lane/agent-message-stream.h"

#include <capnp/rpc.capnp.h>
#include <capnp/rpc.h>
#include <capnp/serialize.h>
#include <kj/debug.h>

#include "lane/lane-greeting.h"

namespace bothy {
namespace {

using capnp::rpc::Message;

bool hasException(Message::Reader message) {
  switch (message.which()) {
    case Message::ABORT:
      return true;
    case Message::RETURN:
      return message.getReturn().isException();
    case Message::RESOLVE:
      return message.getResolve().isException();
    default:
      return false;
  }
}

kj::StringPtr neutralText(capnp::rpc::Exception::Type type) {
  switch (type) {
    case capnp::rpc::Exception::Type::OVERLOADED:
      return "the workspace is at a limit of its own; try later";
    case capnp::rpc::Exception::Type::DISCONNECTED:
      return "what was asked for in the workspace is gone";
    case capnp::rpc::Exception::Type::UNIMPLEMENTED:
      return "the workspace's agent does not know this method";
    case capnp::rpc::Exception::Type::FAILED:
      break;
  }
  return "the workspace's agent could not do it";
}

void replace(capnp::rpc::Exception::Reader theirs, capnp::rpc::Exception::Builder ours) {
  // A type that this build does not know counts as a failure.
  auto type = theirs.getType();
  if (type > capnp::rpc::Exception::Type::UNIMPLEMENTED) {
    type = capnp::rpc::Exception::Type::FAILED;
  }
  ours.setType(type);
  ours.setReason(neutralText(type));
}

// A message that says the same without the guest's text, trace and whatever else an exception may carry one day.  Nothing is
// copied but numbers: structs that share one another become as many in a copy as the limits of a message allow.
kj::Own<capnp::MessageReader> scrubbed(Message::Reader message, capnp::ReaderOptions options) {
  capnp::MallocMessageBuilder builder;
  auto root = builder.initRoot<Message>();
  switch (message.which()) {
    case Message::ABORT:
      replace(message.getAbort(), root.initAbort());
      break;
    case Message::RETURN: {
      auto theirs = message.getReturn();
      auto ours = root.initReturn();
      ours.setAnswerId(theirs.getAnswerId());
      ours.setReleaseParamCaps(theirs.getReleaseParamCaps());
      ours.setNoFinishNeeded(theirs.getNoFinishNeeded());
      replace(theirs.getException(), ours.initException());
      break;
    }
    case Message::RESOLVE:
      root.initResolve().setPromiseId(message.getResolve().getPromiseId());
      replace(message.getResolve().getException(), root.getResolve().initException());
      break;
    default:
      KJ_UNREACHABLE;
  }
  auto words = capnp::messageToFlatArray(builder);
  auto reader = kj::heap<capnp::FlatArrayMessageReader>(words, options);
  return reader.attach(kj::mv(words));
}

}  // namespace

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
      [&](kj::Exception&& exception) { answer->reject(kj::mv(exception)); });
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
  KJ_IF_MAYBE (message, received) {
    auto root = message->reader->getRoot<Message>();
    if (hasException(root)) message->reader = scrubbed(root, options);
    whole = true;
  }
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
